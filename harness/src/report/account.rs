//! The record, folded for all who tell of it.

use super::Course;
use crate::{
    journal::Record,
    judge::{Digest, Targets},
    plan::Plan,
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
    /// Of a soak that has not begun. `targets` say which sample was the first over them.
    #[must_use]
    pub fn new(plan: &Plan, targets: &Targets) -> Self {
        Self { digest: Digest::new(plan, targets), course: Course::new(plan) }
    }

    /// Takes in one record.
    pub fn absorb(&mut self, record: &Record) {
        self.digest.absorb(record);
        self.course.absorb(record);
    }
}
