//! Journals of earlier builds are read and judged as they were then: every output file has the same bytes.
//!
//! `stored_journals/` has a folder for each journal, with the files that judging it again gave. Where a change of a text is
//! intended, `STORED_JOURNALS_UPDATE=1 cargo test --test stored_journals` writes them anew; the diff of the uncompressed files
//! is what to read.
//!
//! The binary is this one again: where a test says so it is the soak's, with a gateway that nobody may start.

use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use libtest_mimic::{Arguments, Failed, Trial};
use s2_harness::workload;
use testkit::{no_gateway, play_if_asked, rejudge};

/// Set where the expected files are to be written anew.
const UPDATE: &str = "STORED_JOURNALS_UPDATE";
/// The journal, in its folder.
const JOURNAL: &str = "journal.ndjson";
/// What the files are called there, by the end of their names.
const FILES: [(&str, &str); 4] =
    [(".html", "rejudged.html"), (".json", "rejudged.json"), (".xml", "rejudged.xml"), (".md", "summary.md")];
/// Bytes around the first difference that are shown.
const SHOWN_BYTES: usize = 160;

fn main() -> ExitCode {
    if let Some(code) = play_if_asked(no_gateway, workload::workers) {
        return code;
    }
    let is_update = std::env::vars_os().any(|(name, _)| name == UPDATE);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored_journals");
    let mut stored: Vec<PathBuf> = fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    stored.sort();
    let trials = stored.into_iter().map(|journal| {
        let name = journal.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || judged_as_then(&journal, is_update))
    });
    let mut trials: Vec<Trial> = trials.collect();
    let count = trials.len();
    trials.push(Trial::test("there_are_journals", move || {
        if count > 0 { Ok(()) } else { Err(format!("there are none in {}", folder.display()).into()) }
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn judged_as_then(stored: &Path, is_update: bool) -> Result<(), Failed> {
    let out = tempfile::tempdir()?;
    fs::write(out.path().join(JOURNAL), read(stored, JOURNAL)?)?;
    let judged = judge(out.path())?;
    for (ending, name) in FILES {
        let path = judged.iter().find(|path| path.to_string_lossy().ends_with(ending));
        let now = fs::read(path.ok_or_else(|| format!("no file *{ending} was written"))?)?;
        if is_update {
            write(stored, name, &now)?;
            continue;
        }
        let then = read(stored, name)?;
        if let Some(at) = first_difference(&then, &now) {
            let told = |bytes: &[u8]| {
                let from = at.saturating_sub(SHOWN_BYTES / 2);
                String::from_utf8_lossy(&bytes[from..bytes.len().min(from + SHOWN_BYTES)]).into_owned()
            };
            return Err(format!(
                "{name} differs from byte {at} on\n  then: {}\n  now:  {}\nif that is intended: {UPDATE}=1",
                told(&then),
                told(&now)
            )
            .into());
        }
    }
    Ok(())
}

/// Judges the journal in a folder again; the files that it wrote there.
fn judge(out: &Path) -> io::Result<Vec<PathBuf>> {
    // One trial of the journal's suite is enough: all that is written is written for it. Of the other suites it says that they
    // cannot be judged.
    let journal = fs::read_to_string(out.join(JOURNAL))?;
    let suite = if journal.starts_with(r#"{"record":"header"#) && journal.contains(r#""plan":{"suite":"smoke""#) {
        "smoke"
    } else {
        "full"
    };
    let mut command = rejudge(Path::new(JOURNAL), out)?;
    command
        .args([&format!("{suite}::kpi::availability"), "--exact", "--include-ignored"])
        .current_dir(out)
        .env("NEXTEST_RUN_ID", "x")
        .env("GITHUB_STEP_SUMMARY", out.join("summary.md"));
    let output = command.output()?;
    let files = fs::read_dir(out)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    if files.len() <= FILES.len() {
        return Err(io::Error::other(format!("only {files:?} was written: {output:?}")));
    }
    Ok(files)
}

fn first_difference(then: &[u8], now: &[u8]) -> Option<usize> {
    let differs = then.iter().zip(now).position(|(then, now)| then != now);
    differs.or_else(|| (then.len() != now.len()).then(|| then.len().min(now.len())))
}

fn read(stored: &Path, name: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(fs::File::open(stored.join(format!("{name}.gz")))?).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(stored: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = GzEncoder::new(fs::File::create(stored.join(format!("{name}.gz")))?, Compression::best());
    file.write_all(bytes)?;
    file.finish().map(drop)
}
