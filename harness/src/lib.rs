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
//! Data flows in one direction, and imports in the other:
//!
//! - [`catalog`]: the names: suites, workloads, calls, chaos events, and a row for each KPI.
//! - [`plan`]: the moments of all starts, and the number of samples that each KPI is promised. Pure, seeded, printable.
//! - [`gateway`]: the wire. An answer of a gateway is data, however odd it is.
//! - [`workload`]: the traffic, one file for each workload.
//! - [`streams`]: the deliveries of the streams, compared with the runs' own records. Pure, in bounded memory.
//! - [`proxy`]: a TCP proxy in front of any gateway, which adds latency, cuts and blackouts. It imports only [`clock`], and only the
//!   session starts one.
//! - [`session`]: plays the plan: it starts the client, the workers and the proxy, owns their tasks, and is the journal's only
//!   writer.
//! - [`journal`]: the append-only record. Time bounds its size, not the number of requests.
//! - [`history`]: the one fold of the record: timeline, totals, series, violations. The session, its followers and a stored journal
//!   share it.
//! - [`judge`]: pure functions from plan and history to verdicts. They use no clock, file or network, so a stored journal can be
//!   judged again, years later, with other targets, or against another run.
//! - [`results`]: judgements with their status, which one rule decides, and the waivers.
//! - [`report`]: renders results. Each renderer is one file. A renderer decides nothing.
//! - [`runner`]: named trials, attached to one shared session through files and the kernel's locks.
//! - [`settings`]: `tests/soak.toml` and the environment, checked as a whole. No other part reads the environment.
//! - [`clock`]: scenario time and pace. No other part reads time.
//!
//! # Invariants
//!
//! - A KPI without data is not green: it is [`Unproven`](judge::Verdict::Unproven), with the reason.
//! - Any process may be killed at any moment. The record stays, and a waiting process starts another session, which continues from
//!   the journal and the last checkpoint. The hole between the two sessions counts as no latency of the gateway.
//! - A gateway's misbehaviour is a finding. An `Err` means that the harness could not do its own work.
//! - Every queue, buffer, retry and wait has a bound, and every task has an owner that joins it.
//! - The session's memory does not grow with the duration of the soak, and the journal's size does not grow with the rate of requests.
//! - The token is in no log, journal, report or failure.
//! - Text from a gateway is printed on one line, cut, and without control characters that a terminal obeys.
//!
//! Three things are absent on purpose: a retry that is not counted (it would hide an error that a user sees), averages (they hide a
//! slow tail), and a default that is green.

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
mod tcp;
pub mod workload;

#[cfg(test)]
mod fuzzing;
#[cfg(test)]
mod snapshots;
