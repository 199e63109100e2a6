//! Numbers as a person reads them.
