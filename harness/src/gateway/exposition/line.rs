//! One line of the exposition formats: the Prometheus text format 0.0.4 and OpenMetrics 1.0.
//!
//! One grammar reads both. It accepts every line that one of the reference parsers accepts (Go's `expfmt`, the parser
//! of the Prometheus server, the two of the Python client): a line that only one of the formats forbids has a clear
//! meaning. Crates for this refuse a whole text for one line, or misread blanks, braces and escapes.

use std::borrow::Cow;

use super::number;

/// Maximum number of labels of a sample. No client library has a tenth of them.
const LABELS_MAX: usize = 256;

#[derive(Debug, PartialEq)]
pub(super) enum SampleLine<'a> {
    /// Blank, or a comment other than a type.
    Nothing,
    /// `# TYPE name kind`.
    Type(Cow<'a, str>, Kind),
    Sample(MetricSample<'a>),
}

/// The types of metrics that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Histogram,
    GaugeHistogram,
    Summary,
    Gauge,
    /// Another plain value.
    Other,
}

#[derive(Debug, PartialEq)]
pub(super) struct MetricSample<'a> {
    pub(super) name: Cow<'a, str>,
    /// In the order of their names, so that a series always has the same list.
    pub(super) labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// None for a native histogram.
    pub(super) value: Option<f64>,
    /// Milliseconds in the text format, seconds in OpenMetrics. Only the order matters here.
    pub(super) timestamp: Option<f64>,
}

/// The reason why a line cannot be read.
#[derive(Debug, PartialEq)]
pub(super) struct Malformed<'a> {
    /// The metric, if the line is readable that far.
    pub(super) name: Option<Cow<'a, str>>,
    pub(super) why: &'static str,
    /// Whether a quote is still open at its end: the Prometheus server allows a line feed in a label value.
    pub(super) is_open: bool,
}

/// Reads a line, without its line feed.
pub(super) fn read(line: &str) -> Result<SampleLine<'_>, Malformed<'_>> {
    let line = trim(line);
    match line.strip_prefix('#') {
        Some(comment) => Ok(read_comment(comment)),
        None if line.is_empty() => Ok(SampleLine::Nothing),
        None => read_sample(line).map(SampleLine::Sample),
    }
}

/// Blanks of the formats, and the carriage return of lines that end with CR LF.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r'])
}

fn read_comment(comment: &str) -> SampleLine<'_> {
    let type_of = || {
        let mut rest = Cursor(trim(comment).strip_prefix("TYPE").filter(|rest| rest.starts_with([' ', '\t']))?);
        rest.skip_blanks();
        let name = if rest.0.starts_with('"') { rest.quoted().ok()? } else { Cow::Borrowed(rest.until_blank()) };
        Some(SampleLine::Type(name, kind(trim(rest.0))))
    };
    type_of().unwrap_or(SampleLine::Nothing)
}

fn kind(word: &str) -> Kind {
    match word.to_ascii_lowercase().as_str() {
        "counter" => Kind::Counter,
        "histogram" => Kind::Histogram,
        "gaugehistogram" | "gauge_histogram" => Kind::GaugeHistogram,
        "summary" => Kind::Summary,
        "gauge" => Kind::Gauge,
        _ => Kind::Other,
    }
}

fn read_sample(line: &str) -> Result<MetricSample<'_>, Malformed<'_>> {
    let mut name = None;
    let read = read_parts(&mut Cursor(line), &mut name);
    match (read, name) {
        (Ok((labels, value, timestamp)), Some(name)) => Ok(MetricSample { name, labels, value, timestamp }),
        (Ok(_), None) => Err(Malformed { name: None, why: "no name of a metric", is_open: false }),
        (Err(why), name) => Err(Malformed { name, why, is_open: why == OPEN_QUOTE }),
    }
}

const OPEN_QUOTE: &str = "a quote that is not closed";

type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;
type Parts<'a> = (Labels<'a>, Option<f64>, Option<f64>);

fn read_parts<'a>(rest: &mut Cursor<'a>, name: &mut Option<Cow<'a, str>>) -> Result<Parts<'a>, &'static str> {
    if rest.0.starts_with('"') {
        *name = Some(rest.quoted()?);
    } else if !rest.0.starts_with('{') {
        let word = rest.word(|c| c == ':');
        *name = (!word.is_empty()).then_some(Cow::Borrowed(word));
        if name.is_none() {
            return Err("no name of a metric");
        }
    }
    rest.skip_blanks();
    let mut labels = Vec::new();
    if rest.0.starts_with('{') && !is_native_histogram(rest.0) {
        rest.eat('{');
        labels = read_labels(rest, name)?;
        rest.skip_blanks();
    }
    if is_native_histogram(rest.0) {
        return Ok((labels, None, None));
    }
    let value = match rest.until_blank() {
        "" => return Err("no value"),
        value => number::parse(value).ok_or("a value that is no number")?,
    };
    Ok((labels, Some(value), read_timestamp(rest)?))
}

/// Whether a value is `{count:24,sum:100,…}`.
fn is_native_histogram(text: &str) -> bool {
    text.starts_with("{count:")
}

/// Reads labels after the opening brace, up to and with the closing one. The name of the metric may be among them.
/// Commas may be missing between labels (the Prometheus server accepts it) and may stand at both ends, once.
fn read_labels<'a>(rest: &mut Cursor<'a>, name: &mut Option<Cow<'a, str>>) -> Result<Labels<'a>, &'static str> {
    let mut labels: Labels<'a> = Vec::new();
    let mut was_comma = false;
    loop {
        rest.skip_blanks();
        if rest.eat('}') {
            break;
        }
        if rest.eat(',') {
            if std::mem::replace(&mut was_comma, true) {
                return Err("two commas in a row");
            }
            continue;
        }
        was_comma = false;
        let is_quoted = rest.0.starts_with('"');
        let word = if is_quoted { rest.quoted()? } else { Cow::Borrowed(rest.word(|_| false)) };
        rest.skip_blanks();
        if rest.eat('=') {
            if word.is_empty() {
                return Err("a label without a name");
            }
            rest.skip_blanks();
            if !rest.0.starts_with('"') {
                return Err("a label value without quotes");
            }
            if labels.len() == LABELS_MAX {
                return Err("too many labels");
            }
            labels.push((word, rest.quoted()?));
        } else if !is_quoted {
            return Err(if rest.0.is_empty() {
                "a brace that is not closed"
            } else {
                "no '=' after the name of a label"
            });
        } else if name.replace(word).is_some() {
            return Err("two names of the metric");
        }
    }
    // `{__name__="…"}` is what Prometheus stores, and some exporters write.
    if name.is_none()
        && let Some(at) = labels.iter().position(|(label, _)| label == "__name__")
    {
        *name = Some(labels.remove(at).1);
    }
    labels.sort();
    if labels.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err("a label twice");
    }
    Ok(labels)
}

/// Reads the rest of a line after the value: nothing, a timestamp, an exemplar, or both. Exemplars are not used.
fn read_timestamp(rest: &mut Cursor<'_>) -> Result<Option<f64>, &'static str> {
    rest.skip_blanks();
    if rest.0.is_empty() || rest.0.starts_with('#') {
        return Ok(None);
    }
    let timestamp = number::parse(rest.until_blank()).filter(|timestamp| timestamp.is_finite());
    let timestamp = timestamp.ok_or("a timestamp that is no number")?;
    rest.skip_blanks();
    let is_over = rest.0.is_empty() || rest.0.starts_with('#');
    if is_over { Ok(Some(timestamp)) } else { Err("text after the timestamp") }
}

/// The unread rest of a line.
struct Cursor<'a>(&'a str);

impl<'a> Cursor<'a> {
    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn eat(&mut self, c: char) -> bool {
        let rest = self.0.strip_prefix(c);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn until_blank(&mut self) -> &'a str {
        self.take(self.0.find([' ', '\t']).unwrap_or(self.0.len()))
    }

    /// A name without quotes: letters, digits, `_` and the characters of `may_also`. It does not begin with a digit.
    fn word(&mut self, may_also: impl Fn(char) -> bool) -> &'a str {
        if self.0.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        let ends = self.0.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || may_also(c)));
        self.take(ends.unwrap_or(self.0.len()))
    }

    /// A text in double quotes, with its escapes resolved. An escape that the format does not know stays as it is.
    fn quoted(&mut self) -> Result<Cow<'a, str>, &'static str> {
        let inside = self.0.strip_prefix('"').ok_or("no quote")?;
        let mut is_escaped = false;
        let closing = inside.bytes().position(|byte| {
            let is_closing = byte == b'"' && !is_escaped;
            is_escaped = byte == b'\\' && !is_escaped;
            is_closing
        });
        let closing = closing.ok_or(OPEN_QUOTE)?;
        self.0 = &inside[closing + 1..];
        Ok(unescape(&inside[..closing]))
    }
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some(next @ ('\\' | '"' | 'n'))) => {
                plain.push(if next == 'n' { '\n' } else { next });
                let _ = chars.next();
            }
            _ => plain.push(c),
        }
    }
    Cow::Owned(plain)
}
