//! Numbers as Prometheus reads them, with Go's `ParseFloat`.

/// Reads a number. Letter case does not matter in `NaN`, `Inf` and `Infinity`.
///
/// Rust's parser accepts the same decimal forms. Hexadecimal floats (`0x1.8p3`) are accepted in addition: Prometheus
/// refuses them since Go 1.13, but other readers do not. All readers refuse digits grouped by `_`.
pub(super) fn parse(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| hexadecimal(text))
}

/// `0x1.8p3`: hexadecimal digits, then a binary exponent, which is required.
fn hexadecimal(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"))?;
    let (mantissa, exponent) = digits.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0;
    for digit in whole.chars().chain(fraction.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let exponent: i32 = exponent.parse().ok()?;
    let shift = i32::try_from(fraction.len()).ok()?.checked_mul(4)?;
    Some(sign * value * 2f64.powi(exponent.checked_sub(shift)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, value) in [
            ("1", 1.0),
            ("+1.5", 1.5),
            ("-3e3", -3_000.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("08", 8.0),
            ("0000000000000000000000000000000000000000001.2e-1", 0.12),
            ("1.7560473e+06", 1_756_047.3),
            ("9223372036854775808", 9_223_372_036_854_775_808.0),
            ("+Inf", f64::INFINITY),
            ("inf", f64::INFINITY),
            ("-INF", f64::NEG_INFINITY),
            ("Infinity", f64::INFINITY),
            ("0x1p-3", 0.125),
            ("-0X1.8P3", -12.0),
        ] {
            assert_eq!(Some(value), parse(text), "{text}");
        }
        for nan in ["NaN", "nan", "Nan"] {
            assert!(parse(nan).is_some_and(f64::is_nan), "{nan}");
        }
    }

    #[test]
    fn what_go_refuses_is_no_number() {
        for text in
            ["", " 1", "1 ", "1_2", "0x1", "0b1", "0o1", "0xp1", "0x1_0p1", "1f", "true", "1,5", "0x1p", "0x.p1"]
        {
            assert_eq!(None, parse(text), "{text:?}");
        }
    }
}
