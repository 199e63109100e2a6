//! `hdrhistogram`'s V2 form, read as it stands: only the values that were recorded, and how often.
//!
//! The form lists the counts of all buckets in order, a run of empty ones as one number, so that an interval's few
//! samples are a few dozen bytes. The library unfolds them to over ten thousand buckets, and a merge reads each: for
//! the thousands of histograms of a two-hour journal that takes seconds. It also trusts lengths in the bytes, and a
//! damaged line of a journal must cost no more than an error.

/// The format's first number.
const COOKIE: u32 = 0x1c84_9313;
/// Cookie, length, offset, digits, lowest value, highest value, ratio.
const HEAD_BYTES: usize = 40;
/// Three digits need 2,048 buckets for the values up to there, and half as many for each doubling after it.
const OCTAVE_BITS: u32 = 10;
/// More than any interval has. With more, the sums of a few intervals would overflow.
const SAMPLES_MAX: u64 = 1 << 42;

/// The recorded values, rising, each the least of its bucket, with their counts; or the fault.
///
/// Takes only histograms from 1 up with three digits, values up to `value_max` and a sum of samples that cannot
/// overflow.
pub(super) fn read(bytes: &[u8], value_max: u64) -> Result<Vec<(u64, u64)>, &'static str> {
    let (head, mut counts) = bytes.split_at_checked(HEAD_BYTES).ok_or("it is too short")?;
    let u32_at = |at: usize| head[at..at + 4].iter().fold(0_u32, |n, byte| n << 8 | u32::from(*byte));
    let u64_at = |at: usize| u64::from(u32_at(at)) << 32 | u64::from(u32_at(at + 4));
    let (cookie, length, offset, digits, lowest, ratio) =
        (u32_at(0), u32_at(4), u32_at(8), u32_at(12), u64_at(16), u64_at(32));
    if (cookie, offset, digits, lowest, ratio) != (COOKIE, 0, 3, 1, 1.0_f64.to_bits()) {
        return Err("it has another shape than ours");
    }
    if usize::try_from(length) != Ok(counts.len()) {
        return Err("it is not as long as it says");
    }
    let mut recorded = Vec::new();
    let (mut index, mut samples) = (0_u64, 0_u64);
    while !counts.is_empty() {
        let number = number(&mut counts)?;
        let (magnitude, is_negative) = (number >> 1, number & 1 == 1);
        if is_negative {
            // Minus n, zigzag-coded as 2n - 1: a run of n empty buckets.
            index = index.saturating_add(magnitude).saturating_add(1);
        } else {
            let value = value_of(index).filter(|value| *value <= value_max).ok_or("a value is out of range")?;
            samples = samples.saturating_add(magnitude);
            if samples > SAMPLES_MAX {
                return Err("it has more samples than there can be");
            }
            if magnitude > 0 {
                recorded.push((value, magnitude));
            }
            index += 1;
        }
    }
    Ok(recorded)
}

/// The least value of a bucket; none where there is no such bucket.
fn value_of(index: u64) -> Option<u64> {
    let (octave, place) = (index >> OCTAVE_BITS, index & ((1 << OCTAVE_BITS) - 1));
    match u32::try_from(octave).ok()? {
        0 => Some(place),
        octave if octave < u64::BITS - OCTAVE_BITS => Some((place + (1 << OCTAVE_BITS)) << (octave - 1)),
        _ => None,
    }
}

/// Takes off a number: seven bits a byte, least first, while the eighth is set; all eight of a ninth byte.
fn number(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut number = 0;
    for n in 0..9 {
        let (byte, rest) = bytes.split_first().ok_or("it ends in the middle of a number")?;
        *bytes = rest;
        if n == 8 || byte & 0x80 == 0 {
            return Ok(number | u64::from(*byte) << (7 * n));
        }
        number |= u64::from(byte & 0x7f) << (7 * n);
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use hdrhistogram::{
        Histogram,
        serialization::{Serializer, V2Serializer},
    };
    use proptest::prelude::*;

    use super::*;

    const HOUR_US: u64 = 3_600_000_000;

    fn packed(histogram: &Histogram<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(histogram, &mut bytes).unwrap();
        bytes
    }

    fn histogram() -> Histogram<u64> {
        let mut histogram = Histogram::new_with_bounds(1, 2, 3).unwrap();
        histogram.auto(true);
        histogram
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_the_library_packs_is_read_value_by_value(
            few in prop::collection::vec((1..=HOUR_US, 1..1_000_u64), 0..20),
            small in prop::collection::vec((1..5_000_u64, any::<u32>()), 0..200),
        ) {
            let mut histogram = histogram();
            few.iter().for_each(|(value, n)| histogram.record_n(*value, *n).unwrap());
            small.iter().for_each(|(value, n)| histogram.record_n(*value, u64::from(*n)).unwrap());
            let recorded = histogram.iter_recorded().map(|v| v.value_iterated_to());
            let expected: Vec<(u64, u64)> =
                recorded.map(|value| (histogram.lowest_equivalent(value), histogram.count_at(value))).collect();
            prop_assert_eq!(Ok(expected), read(&packed(&histogram), HOUR_US));
        }

        #[test]
        fn damage_is_an_error_or_another_histogram_and_never_more(
            mut bytes in prop::collection::vec((1..=HOUR_US, 1..1_000_u64), 1..20).prop_map(|values| {
                let mut histogram = histogram();
                values.iter().for_each(|(value, n)| histogram.record_n(*value, *n).unwrap());
                packed(&histogram)
            }),
            at in any::<prop::sample::Index>(), with: u8, cut in any::<prop::sample::Index>(),
        ) {
            let at = at.index(bytes.len());
            bytes[at] = with;
            prop_assert!(read(&bytes, HOUR_US).unwrap_or_default().iter().all(|(value, _)| *value <= HOUR_US));
            prop_assert!(read(&bytes[..cut.index(bytes.len())], HOUR_US).is_err());
        }
    }

    #[test]
    fn lengths_and_runs_that_no_histogram_has_are_refused() {
        let whole = packed(&histogram());
        assert_eq!(Ok(vec![]), read(&whole, HOUR_US));
        let with = |counts: &[u8]| {
            let length = u32::try_from(counts.len()).unwrap().to_be_bytes();
            let bytes = [&whole[..4], &length, &whole[8..HEAD_BYTES], counts].concat();
            read(&bytes, HOUR_US)
        };
        // A run as long as there are numbers, another after it, and then a count.
        let longest = [0xff; 9];
        assert_eq!(Err("a value is out of range"), with(&[&longest[..], &longest, &[2]].concat()));
        assert_eq!(Err("it ends in the middle of a number"), with(&[0x80]));
        assert_eq!(Ok(vec![(1, 1)]), with(&[1, 2]));
        // Of one value so many samples that those of another make a sum beyond all numbers.
        let most = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Err("it has more samples than there can be"), with(&[&most[..], &most, &most].concat()));
        assert_eq!(Err("it is not as long as it says"), read(&[&whole[..], &[2]].concat(), HOUR_US));
        let mut endless = whole;
        endless[4..8].fill(0xff);
        assert_eq!(Err("it is not as long as it says"), read(&endless, HOUR_US));
    }
}
