//! An event as a client got it, and the findings of the ledger.

/// An event as a client got it.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'a> {
    /// Its timestamp, as it was written.
    pub stamp: &'a str,
    /// The rest of its data, keys in order.
    pub unstamped: &'a str,
    /// The run that it is about.
    pub run: &'a str,
    /// Its id on the stream; empty where it had none.
    pub id: &'a str,
    /// The kind of the event: `log`, `end`.
    pub kind: &'a str,
    /// Its message, where it has one.
    pub message: Option<&'a str>,
}

impl Delivery<'_> {
    /// The text to show: its message, else its kind.
    pub fn line(&self) -> &str {
        self.message.unwrap_or(self.kind)
    }

    /// Whether it is the end of the run.
    pub fn is_end(&self) -> bool {
        self.kind == "end"
    }
}

/// The kind of a delivery to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryKind {
    /// An event that it had not seen, for all that is known now.
    New,
    /// The content of an event that it had seen, under another id or none: an equal event, or the same one again.
    Equal,
    /// An event that it had seen.
    Again {
        /// Whether the id was the same, or a new one.
        same_id: bool,
    },
}

/// How an event came to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// The kind of the delivery.
    pub sighting: DeliveryKind,
    /// Whether it is the first of all clients that saw it.
    pub is_first: bool,
}

impl Delivered {
    /// Whether it is no repeat, for all that is known now.
    pub const fn is_new(self) -> bool {
        !matches!(self.sighting, DeliveryKind::Again { .. })
    }

    /// Whether it is an equal event that no client had before.
    pub const fn is_first_equal(self) -> bool {
        self.is_first && matches!(self.sighting, DeliveryKind::Equal)
    }
}

/// The findings that have become certain since the last check.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Events that were missed, oldest first.
    pub missed: Vec<Missed>,
    /// Events that were new when they came, and have turned out to be repeats.
    pub repeated: Vec<RepeatedEvent>,
}

/// An event that a client should have seen and did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The number of the client.
    pub client: usize,
    /// The run that the event is about.
    pub run: String,
    /// Its id at a client that saw it.
    pub id: String,
    /// The text to show.
    pub line: String,
    /// The number of clients that saw it.
    pub seen_by: u32,
    /// Real milliseconds from the client's last return to the first arrival of the event at another client: negative if
    /// it returned later. `None` if the client never returned as one that is owed the events in between.
    pub after_return_ms: Option<i64>,
}

/// An event that a client got again: under its id, stamped anew; or more often than the other clients got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepeatedEvent {
    /// The number of the client.
    pub client: usize,
    /// The run that the event is about.
    pub run: String,
    /// Its id this time.
    pub id: String,
    /// The text to show.
    pub line: String,
    /// Whether the client had it under this id before.
    pub same_id: bool,
    /// The number of clients that got it less often.
    pub others: u32,
}
