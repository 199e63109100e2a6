//! Plays soaks in tests, the same way in every test binary.
//!
//! A test binary has several roles. Started by cargo, it runs trials. Started again by one of its trials, it is the soak
//! ([`play_if_asked`]) or a gateway ([`serve`]). So a trial plays a soak as a user does: in processes of their own, with files, an
//! environment and an exit code.
//!
//! | module | contents |
//! |---|---|
//! | `binary` | the test binary, started again without the caller's settings |
//! | `soak` | a soak: its settings, the command that plays it, its end |
//! | `left` | the files that a soak has left: journal, results, outputs |
//! | `gateway` | a gateway in a process of its own |
//! | `redis_server` | a Redis server that a test starts, ends, and starts again |
//! | `processes` | other processes, as `/proc` shows them |
//! | `standing_still` | soaks on a machine that stands still now and then |
//! | `trials` | trials, and trials that need a program which the machine may lack |
//! | `wait` | waits for a condition, up to a limit |

mod binary;
mod gateway;
mod left;
mod processes;
mod redis_server;
mod soak;
mod standing_still;
mod trials;
mod wait;

pub use binary::{AS_THE_SOAK, foreign_variables, no_gateway, own_binary, play_if_asked, rejudge};
pub use gateway::{GatewayProcess, serve};
pub use left::{Left, reds};
pub use processes::{command_line, cpu_ms, memory_bytes, memory_peak_bytes, session_of};
pub use redis_server::{Keeps, RedisServer, free_port};
pub use soak::{Playing, Soak};
pub use standing_still::again_if_stalled;
pub use trials::{CARGO_NEXTEST, CHROMEDRIVER, CHROMIUM, NODE, Program, REDIS_SERVER, needing, trial};
pub use wait::wait;

/// Any error: a test only shows it.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;
