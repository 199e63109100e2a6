//! The inputs that the reference parsers are tested with: `expfmt` of prometheus/common, the parser of the Prometheus
//! server, the two of client_python, and the test data of OpenMetrics. What one of them accepts is read; what all of them
//! refuse, because it has no clear meaning, is named with its line.

use super::*;

/// The values of a text, of which every line can be read.
fn values(text: &str) -> Vec<(String, f64)> {
    let read = Exposition::read(text).unwrap_or_else(|| panic!("no sample in {text:?}"));
    assert_eq!(UnreadLines::default(), read.unread, "{text}");
    read.values.into_iter().collect()
}

fn value(text: &str, name: &str) -> Option<f64> {
    values(text).into_iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// Returns the message about the only line of a text that cannot be read.
fn unread(text: &str) -> String {
    let text = format!("{text}\nanother 1\n");
    let read = Exposition::read(&text).unwrap();
    assert_eq!((1, Some(1.0)), (read.unread.count, read.value("another")), "{text}");
    read.unread.to_string()
}

#[test]
fn minimal_samples() {
    let text =
        "\nminimal_metric 1.234\nanother_metric -3e3 103948\n# Even that:\nno_labels{} 3\n# HELP line for nothing.\n";
    let expected = [("another_metric", -3_000.0), ("minimal_metric", 1.234), ("no_labels", 3.0)];
    assert_eq!(expected.map(|(name, value)| (name.to_owned(), value)).to_vec(), values(text));
    assert_eq!(None, Exposition::read("\n\n"));
    assert_eq!(None, Exposition::read("# EOF\n"));
}

#[test]
fn blanks_and_commas_wherever_a_parser_allows_them() {
    for line in [
        "a{x=\"1\"} 7",
        "a{x=\"1\",} 7",
        "a{x=\"1\" , } 7",
        "a{x=\"1\",y=\"2\"} 7",
        "a{ x = \"1\" , y = \"2\" } 7",
        "a{ x = \"1\" y = \"2\" } 7",
        "a {x=\"1\"} 7",
        " \t a \t { \t x \t = \t \"1\" \t } \t 7 \t ",
        "a{x=\"1\"}7",
        "a{} 7",
        "a{ } 7",
        "a{,} 7",
        "a{ ,} 7",
        "a{, } 7",
        "a{,x=\"1\"} 7",
        "a 7",
        "a  7",
        "a\t7",
        "a 7 123",
        "a 7\t000",
        "a 7  1234567890   ",
        "a 7 -1",
        "a 7 1.5e3",
        "a 7 12345678901234567890.1234567890",
        "a 7\r",
        "a{x=\"} # {\"} 7",
        "a{x=\"y=\\\"z\\\",\"} 7",
        "a{x=\"\"} 7",
        "a{x=\"\u{0}\"} 7",
        "a{x=\"two\nlines\"} 7",
        "a{__NAME__=\"b\"} 7",
        "a{\"x\"=\"1\", \"x.y\"=\"2\"} 7",
        "{\"a\"} 7",
        "{\"a\",x=\"1\"} 7",
        "{ \"a\", x=\"1\", } 7",
        "{x=\"1\", \"a\"} 7",
        "\"a\" 7",
        "\"a\"{x=\"1\"} 7",
        "{__name__=\"a\",x=\"1\"} 7",
        "a 7 # {t=\"1\"} 0.5",
        "a 7 # {} 0.5 123",
        "a 7 123 # {t=\" # }\"} 4 123",
        "\u{feff}a 7",
    ] {
        for text in [line.to_owned(), format!("{line}\n"), format!("\n\n# x\n{line}\n\n")] {
            let text = if line.starts_with('\u{feff}') { line.to_owned() } else { text };
            assert_eq!(vec![("a".to_owned(), 7.0)], values(&text), "{text:?}");
        }
    }
}

#[test]
fn comments_types_and_units() {
    let text = "# A comment.\n#\n#no blank\n# HELP\n# HELP a\n# HELP a two\\n lines \\ and \\\\\n # TYPE  a  counter \n\
                #\tTYPE\tb\tgauge\n# TYPE c_seconds gauge\n# UNIT c_seconds seconds\n# TYPE\n# TYPE d\n# TYPE e meh\n# FOO a x\n\
                # HELP f \u{0}\n# TYPE \"g.h\" gauge\na 1\nb 2\nc_seconds 3\nd 4\ne 5\n{\"g.h\"} 6\n";
    let expected = [("a", 1.0), ("a_total", 1.0), ("b", 2.0), ("c_seconds", 3.0), ("d", 4.0), ("e", 5.0), ("g.h", 6.0)];
    assert_eq!(expected.map(|(name, value)| (name.to_owned(), value)).to_vec(), values(text));
}

#[test]
fn escapes_are_resolved_and_tell_series_apart() {
    // Two ways to write one label value are one series, and that would be twice.
    let same = Exposition::read("a{x=\"\\q\"} 1\na{x=\"\\\\q\"} 2\n").unwrap();
    assert_eq!(Some(&Unusable::Twice), same.unusable.get("a"));
    let others = ["\\\\", "\\n", "\\\\n", "\\\\\\n", "\\\"", "\\\\\\\"", "foo\\\\", "b\\\"a\\nr # "];
    let text: String = others.iter().map(|escaped| format!("a{{x=\"{escaped}\",y=\"z\"}} 1\n")).collect();
    assert_eq!(vec![("a".to_owned(), 8.0)], values(&text));
    let named = "{\"my \\\"metric\\\" \\\\ \\n {}#\",\"label\\\"\"=\"v\"} 1\n";
    assert_eq!(Some(1.0), value(named, "my \"metric\" \\ \n {}#"));
    assert_eq!(
        Some(10.0),
        value("{\"Heizölrückstoßabdämpfung 10€\",\"strange©™\"=\"6\"} 10.0", "Heizölrückstoßabdämpfung 10€")
    );
}

#[test]
fn the_same_labels_in_another_order_are_the_same_series() {
    let read = Exposition::read("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\nb 1\nb{} 1\n").unwrap();
    assert_eq!(["a", "b"].as_slice(), read.unusable.keys().collect::<Vec<_>>());
}

#[test]
fn of_several_moments_of_a_series_the_latest_counts() {
    let text =
        "a{a=\"1\"} 1 0.0000000000\na{a=\"1\"} 2 0.0000000010\na{a=\"1\"} 3 0.0000000001\na{a=\"2\"} 4 0\n# EOF\n";
    assert_eq!(vec![("a".to_owned(), 6.0)], values(text));
    let read = Exposition::read("a 1 5\na 2 5\nb 1\nb 2 5\n").unwrap();
    assert_eq!(["a", "b"].as_slice(), read.unusable.keys().collect::<Vec<_>>());
}

#[test]
fn summaries_are_no_histograms() {
    let text = "# TYPE s summary\ns{n=\"1\",quantile=\"0.5\"} 110\ndecoy -1 -2\ns{n=\"1\",quantile=\"0.9\"} NaN 1\n\
                s_count{n=\"1\"} 42\ns_sum{n=\"1\"} 08 15\n";
    let read = Exposition::read(text).unwrap();
    assert_eq!(Some(&Unusable::Summary), read.unusable.get("s"));
    assert_eq!((Some(42.0), Some(8.0), Some(-1.0)), (read.value("s_count"), read.value("s_sum"), read.value("decoy")));
}

fn histogram(text: &str) -> Result<Vec<(f64, f64)>, Option<Unusable>> {
    let mut read = Exposition::read(text).unwrap();
    assert_eq!(UnreadLines::default(), read.unread, "{text}");
    read.histograms.remove("h").ok_or_else(|| read.unusable.remove("h"))
}

const INF: f64 = f64::INFINITY;

#[test]
fn histograms_in_every_order_and_spelling() {
    let expected = Ok(vec![(-1.0, 0.0), (100.0, 123.5), (1e5, 412.0), (INF, 2_693.0)]);
    for text in [
        "# TYPE h histogram\nh_bucket{le=\"-1.0\"} 0\nh_bucket{le=\"100\"} 123.5\nh_bucket{le=\"1e+05\"} 412\nh_bucket{le=\"+Inf\"} 2693\nh_count 2693\n",
        "h_bucket{le=\"Inf\"} 2693\nh_bucket{le=\"100000.0\"} 412\nh_bucket{le=\"1e2\"} 123.5\nh_bucket{le=\"-1\"} 0\n",
        "# TYPE h histogram\nh_count 2693\nh_sum NaN\nh_bucket{le=\"-1\"} 0\nh_bucket{le=\"100\"} 123.5\nh_bucket{le=\"100000\"} 412\n",
        "# TYPE \"h\" histogram\n{\"h_bucket\", le=\"-1\"} 0\n{le=\"100\",\"h_bucket\"} 123.5\n{\"h_bucket\", le=\"1e5\"} 412\n{\"h_count\"} 2693\n",
    ] {
        assert_eq!(expected, histogram(text), "{text}");
    }
    let exemplars = "h_bucket{le=\"1.0\",x=\"b # \"} 0 # {a=\"b\",x=\"b # b\"} 0.5\nh_bucket{le=\"+Inf\",x=\"b # \"} 3 1 # {a=\"d\"} 4 123\n# EOF\n";
    assert_eq!(Ok(vec![(1.0, 0.0), (INF, 3.0)]), histogram(exemplars));
}

#[test]
fn series_of_a_histogram_are_added_up_where_their_bounds_agree() {
    let text = |other: &str| {
        format!(
            "h_bucket{{x=\"1\",le=\"1\"}} 1\nh_bucket{{x=\"1\",le=\"2\"}} 2\nh_bucket{{x=\"1\",le=\"+Inf\"}} 3\n\
             h_bucket{{x=\"2\",le=\"{other}\"}} 10\nh_bucket{{x=\"2\",le=\"2\"}} 20\nh_bucket{{x=\"2\",le=\"+Inf\"}} 30\n"
        )
    };
    assert_eq!(Ok(vec![(1.0, 11.0), (2.0, 22.0), (INF, 33.0)]), histogram(&text("1")));
    assert_eq!(Ok(vec![(2.0, 22.0), (INF, 33.0)]), histogram(&text("1.5")));
    let disjoint = "h_bucket{x=\"1\",le=\"1\"} 1\nh_bucket{x=\"1\",le=\"+Inf\"} 3\nh_bucket{x=\"2\",le=\"+Inf\"} 30\n";
    assert_eq!(Err(Some(Unusable::DifferentBounds)), histogram(disjoint));
}

#[test]
fn what_is_no_usable_histogram_says_why() {
    for (text, why) in [
        ("h_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\n", Unusable::NoLastBucket),
        ("h_bucket{le=\"1\"} NaN\nh_bucket{le=\"+Inf\"} 1\n", Unusable::NoNumber),
        ("h_bucket{le=\"bla\"} 1\nh_bucket{le=\"+Inf\"} 1\n", Unusable::NoNumber),
        ("h_bucket{le=\"1\"} 1\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 1\n", Unusable::Twice),
        (
            "# TYPE h gaugehistogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_gcount 3\nh_gsum -5\n",
            Unusable::GaugeHistogram,
        ),
        ("# TYPE h gauge_histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 3\n", Unusable::GaugeHistogram),
        ("h {count:24,sum:100,schema:0,zero_count:4,positive_spans:[0:2,1:2]}\n", Unusable::NativeHistogram),
        ("{\"h\", \"xx{} # {}\"=\" EOF # {}}}\"} {count:24,sum:100}\n", Unusable::NativeHistogram),
    ] {
        assert_eq!(Err(Some(why)), histogram(text), "{text}");
    }
    let both = "h{x=\"1\"} {count:24,sum:100}\nh_bucket{x=\"1\",le=\"0.001\"} 4\nh_bucket{x=\"1\",le=\"+Inf\"} 24\n";
    assert_eq!(Ok(vec![(0.001, 4.0), (INF, 24.0)]), histogram(both));
    assert_eq!(
        Some(1.0),
        value("# TYPE a_bucket gauge\na_bucket{le=\"1\"} 1\n", "a_bucket"),
        "only its name is like that"
    );
}

#[test]
fn counters_are_found_with_and_without_total() {
    for text in ["# TYPE a counter\na 1\n", "# TYPE a counter\na_total 1\n", "# TYPE a_total counter\na_total 1\n"] {
        assert_eq!((Some(1.0), Some(1.0)), (value(text, "a"), value(text, "a_total")), "{text}");
    }
    assert_eq!(None, value("# TYPE a gauge\na 1\n", "a_total"));
    let both = "# TYPE a counter\na 1\na_total 2\na_created 3\n";
    assert_eq!((Some(1.0), Some(2.0)), (value(both, "a"), value(both, "a_total")));
}

#[test]
fn a_line_that_no_parser_reads_is_quoted_and_the_others_count() {
    for (line, why) in [
        ("a{x=\"1} 1", "a quote that is not closed"),
        ("a{x='1'} 1", "a label value without quotes"),
        ("a{x=1} 1", "a label value without quotes"),
        ("a{x=} 1", "a label value without quotes"),
        ("a{x} 1", "no '=' after the name of a label"),
        ("a{x+=\"1\"} 1", "no '=' after the name of a label"),
        ("a{@=\"1\"} 1", "no '=' after the name of a label"),
        ("a{1=\"1\"} 1", "no '=' after the name of a label"),
        ("a{=\"1\"} 1", "a label without a name"),
        ("a{x=\"1\"+} 1", "no '=' after the name of a label"),
        ("a{x=\"1\",,} 1", "two commas in a row"),
        ("a{x=\"1\",x=\"2\"} 1", "a label twice"),
        ("a{x=\"1\"", "a brace that is not closed"),
        ("{\"a\",\"b\"} 1", "two names of the metric"),
        ("a{\"b\"} 1", "two names of the metric"),
        ("{x=\"1\"} 1", "no name of a metric"),
        ("{} 1", "no name of a metric"),
        ("0a 1", "no name of a metric"),
        ("@a{x=\"1\"} 1", "no name of a metric"),
        ("a", "no value"),
        ("a{} ", "no value"),
        ("a.b 1", "a value that is no number"),
        ("a-b 1", "a value that is no number"),
        ("a true", "a value that is no number"),
        ("a 1_2", "a value that is no number"),
        ("a 0x1", "a value that is no number"),
        ("a 1# {} 1", "a value that is no number"),
        ("a 1 z", "a timestamp that is no number"),
        ("a 1 NaN", "a timestamp that is no number"),
        ("a 1 1_2", "a timestamp that is no number"),
        ("a 1 2 3", "text after the timestamp"),
    ] {
        let quoted = line.trim_end();
        assert_eq!(format!("line 1: {why} in `{line}`"), unread(line), "{quoted}");
    }
}

#[test]
fn a_metric_with_a_line_that_cannot_be_read_is_not_used_and_says_so() {
    let read =
        Exposition::read("a 1\nb{x=\"1\"} 1\nb{x=2} 1\nc_bucket{le=\"1\"} x\nc_bucket{le=\"+Inf\"} 1\n").unwrap();
    assert_eq!((2, Some(1.0), None), (read.unread.count, read.value("a"), read.value("b")));
    let told = |name: &str| read.unusable[name].to_string();
    assert_eq!("has a line that cannot be read, line 3: a label value without quotes in `b{x=2} 1`", told("b"));
    assert_eq!(
        "has a line that cannot be read, line 4: a value that is no number in `c_bucket{le=\"1\"} x`",
        told("c")
    );
    assert!(!read.histograms.contains_key("c"));
}
