//! The contract, call by call, over real sockets; and the defects that break it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod backend;
mod caller;
mod defects;
mod habits;
mod lapses;
mod leaks;
mod lines;
mod oddities;
mod on_any_store;
mod side_by_side;
mod store;
mod stubs;
mod telling;

macro_rules! tests {
    ($($module:ident { $($test:ident $(($threads:literal))?)* })*) => {
        $(mod $module {
            $(#[tokio::test $((flavor = "multi_thread", worker_threads = $threads))?]
            async fn $test() {
                crate::on_any_store::$module::$test().await;
            })*
        })*
    };
}

on_any_store::on_any_store!(tests);
