//! The values taken from samples that were read, and the messages about the others.

use std::collections::BTreeMap;

use super::*;

fn unusable(text: &str) -> Vec<(String, Unusable)> {
    Exposition::read(text).unwrap().unusable.into_iter().collect()
}

#[test]
fn series_of_different_labels_are_added_up_and_the_same_series_twice_is_none() {
    let read = Exposition::read("a{x=\"1\"} 1\na{x=\"2\"} 2\nb 1\nb 1\nc{x=\"1=2\"} 5\nc{x=\"1=3\"} 6\n").unwrap();
    assert_eq!((Some(3.0), None, Some(11.0)), (read.value("a"), read.value("b"), read.value("c")));
    assert_eq!(BTreeMap::from([("b".to_owned(), Unusable::Twice)]), read.unusable);
    assert_eq!(
        vec![("d".to_owned(), Unusable::Twice)],
        unusable("d{x=\"1\"} 1\nd{x=\"2\"} 1\nd{x=\"1\"} 3 1700000000000\n")
    );
}

#[test]
fn a_value_that_is_no_finite_number_makes_the_whole_name_unusable() {
    let text = "a NaN\nb{x=\"1\"} +Inf\nb{x=\"2\"} 1\nc -Inf\nd 1\n";
    let names = ["a", "b", "c"].map(|name| (name.to_owned(), Unusable::NoNumber));
    assert_eq!(names.to_vec(), unusable(text));
    assert_eq!(Some(1.0), Exposition::read(text).unwrap().value("d"));
    assert_eq!(vec![("a".to_owned(), Unusable::NoNumber)], unusable("a NaN\n"), "and is no lack of metrics");
}

#[test]
fn a_histogram_is_used_whole_or_not_at_all() {
    let buckets = |first: &str, last: &str| {
        format!("# TYPE h histogram\nh_bucket{{le=\"0.1\"}} {first}\nh_bucket{{le=\"+Inf\"}} 7\n{last}h_count 7\n")
    };
    let read = Exposition::read(&buckets("3", "")).unwrap();
    assert_eq!(vec![(0.1, 3.0), (f64::INFINITY, 7.0)], read.histograms["h"]);
    assert_eq!(vec![("h".to_owned(), Unusable::NoNumber)], unusable(&buckets("NaN", "")));
    assert_eq!(vec![("h".to_owned(), Unusable::Twice)], unusable(&buckets("3", "h_bucket{le=\"+Inf\"} 9\n")));
}

#[test]
fn of_many_series_the_first_are_taken_and_the_others_said_to_be_there() {
    let text = |series: usize| (0..series).map(|n| format!("# HELP a b\na{{n=\"{n}\"}} 1\n")).collect::<String>();
    let read = |series| Exposition::read(&text(series)).map(|read| (read.value("a"), read.is_cut));
    assert_eq!(Some((Some(20_000.0), false)), read(Exposition::SERIES_MAX));
    assert_eq!(Some((Some(20_000.0), true)), read(Exposition::SERIES_MAX + 5));
}

#[test]
fn a_type_that_nobody_knows_is_none_and_what_is_no_metric_is_counted_as_unread() {
    let read = Exposition::read("# TYPE a elephant\na 4\n<html>\n{} 5\n= 6\n\u{1b}[2J\nb{x=\"}\"} 7\n").unwrap();
    assert_eq!((Some(4.0), Some(7.0), 2), (read.value("a"), read.value("b"), read.values.len()));
    assert_eq!(
        (4, "line 3: no name of a metric in `<html>` (and 3 lines more)"),
        (read.unread.count, read.unread.to_string().as_str())
    );
    assert_eq!(None, Exposition::read("<html>\n<body>no</body>\n"));
}

#[test]
fn the_unit_that_a_histogram_has_in_its_name_is_brought_to_seconds() {
    for (name, bound) in [("took_milliseconds", 0.25), ("took_ms", 0.25), ("took_seconds", 250.0), ("terms", 250.0)] {
        let text =
            format!("{name}_bucket{{le=\"250\"}} 3\n{name}_bucket{{le=\"+Inf\"}} 4\n{name}_sum 9\n{name}_count 4\n");
        let names = [("sentinel_judge_duration_seconds".to_owned(), name.to_owned())];
        let names = MetricNames { is_json: false, names: names.into(), absent: BTreeMap::new() };
        let read = Exposition::read(&text).unwrap().under(&names);
        assert_eq!(
            vec![(bound, 3.0), (f64::INFINITY, 4.0)],
            read.histograms["sentinel_judge_duration_seconds"],
            "{name}"
        );
    }
}

#[test]
fn a_counting_gauge_that_is_declared_without_a_series_is_0_and_no_other_is() {
    let names = crate::settings::built_in_dialect().metrics;
    let read = |text: &str| Exposition::read(text).unwrap().under(&names);
    let declared =
        "# TYPE run_queue_depth gauge\n# TYPE process_open_fds gauge\n# TYPE runs_started_total counter\nup 1\n";
    let values =
        |read: &Exposition| ["run_queue_depth", "process_open_fds", "runs_started_total"].map(|name| read.value(name));
    assert_eq!([Some(0.0), None, None], values(&read(declared)));
    assert_eq!([Some(3.0), None, None], values(&read(&format!("{declared}run_queue_depth{{lane=\"a\"}} 3\n"))));
    assert_eq!([None; 3], values(&read(&format!("{declared}run_queue_depth NaN\n"))), "its series is no number");
    assert_eq!([None; 3], values(&read("up 1\n")), "it is not declared");
    let cut: String = (0..=Exposition::SERIES_MAX).map(|n| format!("a{{n=\"{n}\"}} 1\n")).collect();
    assert_eq!([None; 3], values(&read(&format!("{declared}{cut}"))), "its series may be in the rest");
}

#[test]
fn a_counting_gauge_under_a_name_of_the_gateway_s_is_0_likewise() {
    let mut names = crate::settings::built_in_dialect().metrics;
    names.names.insert("run_queue_depth".into(), "queue_size".into());
    let read = Exposition::read("# TYPE queue_size gauge\nup 1\n").unwrap().under(&names);
    assert_eq!(Some(0.0), read.value("run_queue_depth"));
    let both = "# TYPE run_queue_depth gauge\n# TYPE queue_size gauge\nqueue_size 5\n";
    assert_eq!(Some(5.0), Exposition::read(both).unwrap().under(&names).value("run_queue_depth"));
    let unusable = both.replace('5', "NaN");
    assert_eq!(None, Exposition::read(&unusable).unwrap().under(&names).value("run_queue_depth"));
}
