//! The record, folded for all who tell of it.

use super::Course;
use crate::{
    journal::{Header, Record},
    judge::{Digest, Targets},
};

/// What judges read, and what charts show. Its size depends on the plan alone, and is taken at the beginning.
#[derive(Debug, Clone)]
pub struct Account {
    /// What judges read.
    pub digest: Digest,
    /// What charts show.
    pub course: Course,
}

impl Account {
    /// Of a soak that has begun with this header, and no more. `targets` say which sample was the first over them.
    #[must_use]
    pub fn of(header: &Header, targets: &Targets) -> Self {
        Self { digest: Digest::of(header, targets), course: Course::new(&header.plan) }
    }

    /// Takes in one record.
    pub fn absorb(&mut self, record: &Record) {
        self.digest.absorb(record);
        self.course.absorb(record);
    }
}
