//! Habits of a registry: the form of a version, and the pages of a search.

use serde_json::{Value, json};

use super::Template;

/// The form of a version by default: a pre-release of semantic versioning, unique by its milliseconds.
pub const VERSION_FORM: &str = "1.0.{number}-{stamp}";
/// The places of a version's form.
pub const VERSION_PLACES: [&str; 9] =
    ["number", "stamp", "seconds", "seconds_high", "seconds_low", "year", "month", "day", "second_of_day"];
/// Some registries keep each part of a version in 16 bits.
const PART_VALUES: u64 = 1 << 16;

/// The form of versions. A version contains its moment, so that no two are the same, of this soak or of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionForm {
    template: Template,
    step_ms: u64,
}

impl VersionForm {
    /// Reads a form. The error is the reason why two such versions could be the same.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let template = Template::read(text);
        let places: Vec<&str> = template.places().collect();
        let has = |all: &[&str]| all.iter().all(|place| places.contains(place));
        let by_second =
            [&["seconds"][..], &["seconds_high", "seconds_low"], &["year", "month", "day", "second_of_day"]];
        let step_ms = if has(&["stamp"]) {
            1
        } else if by_second.into_iter().any(has) {
            1_000
        } else {
            return Err(
                "gives the same version again and again: it needs {stamp} (milliseconds since 1970), {seconds}, \
                        {seconds_high} and {seconds_low} (each below 65536), or {year}, {month}, {day} and \
                        {second_of_day}"
                    .to_owned(),
            );
        };
        if template.has_adjacent_places() {
            return Err(
                "has two places with nothing but digits between them: 1 and 12 would be the same as 11 and 2; \
                        put a dot or a dash between them"
                    .to_owned(),
            );
        }
        Ok(Self { template, step_ms })
    }

    /// The least distance of moments whose versions differ.
    pub(crate) const fn step_ms(&self) -> u64 {
        self.step_ms
    }

    /// Places of the form that have no value.
    pub(crate) fn unknown_places(&self) -> impl Iterator<Item = &str> {
        self.template.places().filter(|place| !VERSION_PLACES.contains(place))
    }

    /// The version of a pulse at a moment in milliseconds since 1970. Its parts have no leading zeros.
    pub(crate) fn version(&self, number: usize, stamp_ms: u64) -> String {
        let seconds = stamp_ms / 1_000;
        let moment = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        let date = jiff::tz::Offset::UTC.to_datetime(moment.unwrap_or_default()).date();
        let fill: [(&str, Value); 9] = [
            ("number", json!(number)),
            ("stamp", json!(stamp_ms)),
            ("seconds", json!(seconds)),
            ("seconds_high", json!(seconds / PART_VALUES)),
            ("seconds_low", json!(seconds % PART_VALUES)),
            ("year", json!(date.year())),
            ("month", json!(date.month())),
            ("day", json!(date.day())),
            ("second_of_day", json!(seconds % 86_400)),
        ];
        self.template.fill(&fill, str::to_owned)
    }
}

impl Default for VersionForm {
    fn default() -> Self {
        Self { template: Template::read(VERSION_FORM), step_ms: 1 }
    }
}

/// The pages of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    pub(crate) page_size: u32,
    pub(crate) first_page: u32,
    /// Maximum number of pages that are read.
    pub(crate) pages_max: u32,
}

impl Default for Paging {
    fn default() -> Self {
        Self { page_size: 100, first_page: 1, pages_max: 50 }
    }
}

impl Paging {
    /// The values for the places of a page, after this number of pages and hits.
    pub(crate) fn fill(&self, pages_before: u32, hits_before: usize, cursor: &Value) -> [(&'static str, Value); 4] {
        [
            ("page", json!(self.first_page.saturating_add(pages_before))),
            ("offset", json!(hits_before)),
            ("limit", json!(self.page_size)),
            ("cursor", cursor.clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// 2026-11-29T08:51:45.678Z.
    const STAMP_MS: u64 = 1_795_942_305_678;

    #[test]
    fn a_form_is_filled_with_parts_without_leading_zeros() {
        for (form, version) in [
            (VERSION_FORM, "1.0.3-1795942305678"),
            ("1.0.{seconds}", "1.0.1795942305"),
            ("1.{seconds_high}.{seconds_low}", "1.27403.59297"),
            ("v{year}.{month}.{day}-{second_of_day}", "v2026.11.29-31905"),
            ("{seconds}", "1795942305"),
        ] {
            assert_eq!(version, VersionForm::read(form).unwrap().version(3, STAMP_MS), "{form}");
        }
    }

    #[test]
    fn versions_a_step_apart_differ_whatever_their_form() {
        for form in ["1.{seconds_high}.{seconds_low}", "{year}.{month}.{day}.{second_of_day}", VERSION_FORM] {
            let form = VersionForm::read(form).unwrap();
            // Across a midnight, and across a carry from the low part to the high one.
            for start_ms in [STAMP_MS, 1_795_910_399_000, 1_795_948_543_000] {
                let made: BTreeSet<String> = (0..10).map(|n| form.version(0, start_ms + n * form.step_ms())).collect();
                assert_eq!(10, made.len(), "{made:?}");
            }
        }
    }

    #[test]
    fn a_form_that_repeats_itself_is_refused_and_says_what_it_needs() {
        for form in ["1.0.{number}", "1.{seconds_low}.0", "{year}.{month}.{day}", "1.0.0"] {
            assert!(VersionForm::read(form).unwrap_err().contains("needs {stamp}"), "{form}");
        }
        for form in ["{seconds_high}{seconds_low}", "{number}0{stamp}"] {
            assert!(VersionForm::read(form).unwrap_err().contains("between them"), "{form}");
        }
    }

    #[test]
    fn parts_stay_below_the_bounds_that_registries_have() {
        let parts = |form: &str| -> Vec<u64> {
            let version = VersionForm::read(form).unwrap().version(11, STAMP_MS);
            version.split('.').map(|part| part.parse().unwrap()).collect()
        };
        assert!(parts("1.0.{seconds}").iter().all(|part| *part < 1 << 31));
        assert!(parts("1.{seconds_high}.{seconds_low}").iter().all(|part| *part < 1 << 16));
    }
}
