//! S2 plans, plays, records and judges a soak test of a 4Runr-style gateway.
//!
//! # Architecture
//!
//! ```text
//!  cargo test / nextest
//!         │  one process, or one per trial
//!         ▼
//!    runner ──attach──► session ──HTTP, SSE──► gateway (yours, or the mock)
//!   (trials)            (one process)
//!         ▲                │ appends
//!         └── verdict ── journal ──► judge ──► results ──► report
//! ```
//!
//! The data goes one way, and imports go the other:
//!
//! - [`catalog`]: what exists: suites, workloads, calls, chaos events, and a row for each KPI.
//! - [`plan`]: what happens when, for how long, and how many samples each KPI is promised. Pure, seeded, printable.
//! - [`gateway`]: the wire. What a gateway answers is data, however odd.
//! - [`workload`]: what is played, one file a workload.
//! - [`streams`]: what streams delivered, compared with the runs' own records. Pure, in bounded memory.
//! - [`proxy`]: a TCP proxy before any gateway, which adds latency, cuts, goes dark. A leaf: it knows only [`clock`], and
//!   only the session is to start one.
//! - [`session`]: plays the plan. But for the proxy's, the only part with sockets, timers and tasks; the journal's only
//!   writer.
//! - [`journal`]: the append-only record, bounded by time and not by how many requests there are.
//! - [`judge`]: pure functions from plan and journal to verdicts. No clock, no file, no network, so that a stored
//!   journal can be judged again, years later, with other targets, or against another run.
//! - [`results`]: judgements with their status, which one rule decides, and what is waived.
//! - [`report`]: renders results. One renderer a file; a renderer decides nothing.
//! - [`runner`]: named trials, attached to one shared session through files and the kernel's locks.
//! - [`settings`]: `tests/soak.toml` and the environment, checked as a whole. The only part that reads the environment.
//! - [`clock`]: scenario time and pace. The only part that reads time.
//!
//! # Invariants
//!
//! - A KPI without data is not green: it is [`Unproven`](judge::Verdict::Unproven), with the reason.
//! - Any process may be killed at any moment. What was recorded stays, and whoever waits starts another session, which
//!   plays on from the journal and the last checkpoint; what fell into the hole between them is nobody's latency.
//! - A gateway's misbehaviour is a finding. An `Err` means that the harness could not do its own work.
//! - Every queue, buffer, retry and wait has a bound, and every task an owner that joins it.
//! - The session's memory does not grow with the length of the run, nor the journal's size with the rate of requests.
//! - The token is in no log, no journal, no report and no failure.
//! - What a gateway says is told on one line, cut, and with nothing in it that a terminal obeys.
//!
//! What is deliberately absent: a retry that is not counted (it would hide what a user feels), a cache of answers,
//! averages (a tail hides in them), and a way to be green by default.

pub mod catalog;
mod child;
pub mod clock;
pub mod gateway;
pub mod history;
pub mod journal;
pub mod judge;
pub mod plan;
pub mod proxy;
pub mod report;
pub mod results;
pub mod runner;
pub mod session;
pub mod settings;
pub mod streams;
pub mod workload;

#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod snapshots;
