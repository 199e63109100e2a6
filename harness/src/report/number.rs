//! Numbers for people: no more decimals than are useful, and thousands apart.

use crate::catalog::{Target, Unit};

const DECIMALS_MAX: usize = 6;

/// A count with its thousands apart: `14,400`.
pub(super) fn count(count: u64) -> String {
    apart(&count.to_string())
}

/// A value with its unit: `2,514 ms`, `99.85 %`, `3`.
pub(super) fn value(value: f64, unit: Unit, target: Target) -> String {
    with_unit(&plain(value, unit, target.limit()), unit)
}

/// A value with its unit, or a dash.
pub(super) fn value_or_dash(of: Option<f64>, unit: Unit, target: Target) -> String {
    of.map_or_else(|| "–".to_owned(), |of| value(of, unit, target))
}

/// A target in a sentence: `1,200 ms`, `99.9 % or more`, `under 1 %`. The limit alone means "not more".
pub(super) fn target(target: Target, unit: Unit) -> String {
    let limit = with_unit(&exact(target.limit()), unit);
    match target {
        // There is nothing above 100 %.
        Target::AtLeast(all) if unit == Unit::Percent && all >= 100.0 => limit,
        Target::AtLeast(_) => format!("{limit} or more"),
        Target::AtMost(_) => limit,
        Target::Below(_) => format!("under {limit}"),
    }
}

/// A target in a column: `≤ 1,200 ms`.
pub(super) fn target_signed(target: Target, unit: Unit) -> String {
    let limit = with_unit(&exact(target.limit()), unit);
    match target {
        Target::AtLeast(_) => format!("≥ {limit}"),
        Target::AtMost(_) => format!("≤ {limit}"),
        Target::Below(_) => format!("< {limit}"),
    }
}

/// A value in a file: to three decimals.
pub(super) fn rounded(value: f64) -> f64 {
    // `+ 0.0` makes a negative zero a plain one.
    let rounded = (value * 1_000.0).round() / 1_000.0 + 0.0;
    // A value that overflows here has no decimals.
    if rounded.is_finite() { rounded } else { value }
}

/// Minutes in a file.
pub(super) fn minutes(ms: u64) -> f64 {
    rounded(ms as f64 / 60_000.0)
}

pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

pub(super) fn with_unit(number: &str, unit: Unit) -> String {
    match unit {
        Unit::Percent => format!("{number} %"),
        Unit::Millis => format!("{number} ms"),
        Unit::Seconds => format!("{number} s"),
        Unit::Count => number.to_owned(),
        Unit::YesNo => if number == "1" { "yes" } else { "no" }.to_owned(),
    }
}

/// The fewest decimals that are right to two thousandths, tell a share from 100 %, and do not look like a limit that
/// the value misses: 99.8999 against 99.9 is 99.8999.
fn plain(value: f64, unit: Unit, limit: f64) -> String {
    let is_enough = |shown: &str| {
        let rounded: f64 = shown.parse().unwrap_or(f64::NAN);
        let mut tolerance = value.abs() / 500.0;
        if unit == Unit::Percent {
            // For 99.86 % the 0.14 matters.
            tolerance = tolerance.min((100.0 - value).abs() / 50.0);
        }
        let hides_a_miss = limit != value && limit == rounded;
        (rounded - value).abs() <= tolerance && !hides_a_miss
    };
    let shown = (0..DECIMALS_MAX).map(|decimals| format!("{value:.decimals$}")).find(|shown| is_enough(shown));
    apart(&shown.unwrap_or_else(|| format!("{value:.DECIMALS_MAX$}")))
}

/// A limit as it was set.
fn exact(limit: f64) -> String {
    apart(&limit.to_string())
}

fn apart(number: &str) -> String {
    let (whole, fraction) = number.split_at(number.find('.').unwrap_or(number.len()));
    let (sign, digits) = whole.split_at(usize::from(whole.starts_with('-')));
    let mut shown = sign.to_owned();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) && digit.is_ascii_digit() {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            ["0", "999", "1,000", "14,400", "1,234,567"],
            [0, 999, 1_000, 14_400, 1_234_567].map(count).as_slice()
        );
        assert_eq!(["-1,234.5", "-123.25"], ["-1234.5", "-123.25"].map(apart).as_slice());
    }

    #[test]
    fn a_value_is_shown_with_no_more_decimals_than_say_something() {
        assert_eq!("2,514 ms", value(2_514.3, Unit::Millis, Target::AtMost(1_200.0)));
        assert_eq!("0 %", value(0.0, Unit::Percent, Target::AtMost(0.5)));
        assert_eq!("97.8 %", value(97.777, Unit::Percent, Target::AtLeast(99.0)));
        assert_eq!("99.86 %", value(99.8617, Unit::Percent, Target::AtLeast(99.0)));
        assert_eq!("100 %", value(100.0, Unit::Percent, Target::AtLeast(99.0)));
    }

    #[test]
    fn a_limit_is_shown_as_it_was_set() {
        assert_eq!("99.95 % or more", target(Target::AtLeast(99.95), Unit::Percent));
        assert_eq!("100 %", target(Target::AtLeast(100.0), Unit::Percent));
        assert_eq!("under 1 %", target(Target::Below(1.0), Unit::Percent));
        assert_eq!("1,200 ms", target(Target::AtMost(1_200.0), Unit::Millis));
        assert_eq!("≥ 99.9 %", target_signed(Target::AtLeast(99.9), Unit::Percent));
    }

    #[test]
    fn a_miss_by_a_hair_does_not_look_like_a_hit() {
        assert_eq!("99.8999 %", value(99.8999, Unit::Percent, Target::AtLeast(99.9)));
        assert_eq!("1,200.1 ms", value(1_200.1, Unit::Millis, Target::AtMost(1_200.0)));
    }

    #[test]
    fn what_is_not_a_number_is_shown_as_such() {
        assert_eq!("NaN ms", value(f64::NAN, Unit::Millis, Target::AtMost(1.0)));
        assert_eq!("inf ms", value(f64::INFINITY, Unit::Millis, Target::AtMost(1.0)));
    }
}
