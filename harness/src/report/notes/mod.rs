//! Notes and reasons in words. Nothing else turns them into words.

mod fault;
mod growth;
mod phrase;
#[cfg(test)]
mod tests;
mod unproven_reason;
mod words;

pub(super) use words::note_text;
pub(crate) use words::reason_text;
