//! A soak as a user plays it: the test's own binary again, as the runner, with the environment that points it at a
//! gateway.

use std::{
    error::Error,
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
};

use s2_harness::{
    runner::{self, Embedded, StartingGateway},
    session::Workers,
};
use serde_json::Value;

pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// The gateways of these tests are the mock, which is native: its memory neither warms up nor has garbage.
pub(crate) const MEMORY_OF_MOCK: &str = "\n[drift]\nmin_real_time = \"0s\"\nrss_base_min = \"32 MB\"\n";

/// Set where the binary is to be the soak's.
pub(crate) const AS_THE_SOAK: &str = "PLAY_THE_SOAK";

/// The soak's `main`, where the environment asks for it.
pub(crate) fn played(gateway: fn() -> StartingGateway, workers: Workers) -> Option<ExitCode> {
    let is_asked_for = std::env::vars_os().any(|(name, _)| name == AS_THE_SOAK);
    is_asked_for.then(|| runner::main(&Embedded { soak_toml: include_str!("../soak.toml"), gateway, workers }))
}

/// Takes out of a command's environment what the caller's says of a gateway or of a test run.
pub(crate) fn forget_surroundings(command: &mut Command) {
    let is_foreign = |name: &OsStr| {
        name.to_str()
            .is_some_and(|name| ["S2_", "GITHUB_"].iter().any(|p| name.starts_with(p)) || name.contains("NEXTEST"))
    };
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_foreign(name)) {
        command.env_remove(name);
    }
}

/// A soak that is to be played.
#[derive(Debug, Clone)]
pub(crate) struct Soak {
    /// A folder of its own. What was there before is removed.
    pub(crate) folder: PathBuf,
    pub(crate) suite: &'static str,
    /// Scenario seconds in a second.
    pub(crate) pace: f64,
    /// What stands in its `soak.toml`.
    pub(crate) settings: String,
    /// None is the embedded mock.
    pub(crate) gateway_url: Option<String>,
    /// Empty where there is none.
    pub(crate) token: &'static str,
    /// `S2_LOG`.
    pub(crate) log: &'static str,
}

/// A soak that is being played.
#[derive(Debug)]
pub(crate) struct Playing {
    pub(crate) runner: Child,
    folder: PathBuf,
    suite: &'static str,
}

/// What a soak has left behind.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) status: ExitStatus,
    /// Everything: `out`, which is S2's own, `stdout` and `stderr`.
    pub(crate) folder: PathBuf,
    suite: &'static str,
}

impl Soak {
    /// Makes the folder, with nothing in it but the settings.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder)?;
        }
        fs::create_dir_all(out(&self.folder))?;
        let of_memory = if self.settings.contains("[drift]") { "" } else { MEMORY_OF_MOCK };
        fs::write(self.settings_file(), format!("{}{of_memory}", self.settings))
    }

    /// The command that plays it by this very binary: the whole suite, one trial each. The folder is made.
    pub(crate) fn command(&self) -> io::Result<Command> {
        self.prepare()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--include-ignored", &format!("{}::", self.suite), "--color", "never"]);
        self.surround(&mut command);
        Ok(command)
    }

    /// Gives a command that runs this binary the environment in which it plays this soak.
    fn surround(&self, command: &mut Command) {
        forget_surroundings(command);
        command.env(AS_THE_SOAK, "1").env("S2_OUT", out(&self.folder)).env("S2_CONFIG", self.settings_file());
        command.env("S2_PACE", self.pace.to_string());
        if let Some(url) = &self.gateway_url {
            command.env("S2_GATEWAY_URL", url);
        }
        command.env("S2_LOG", self.log);
        if !self.token.is_empty() {
            command.env("S2_TOKEN", self.token);
        }
    }

    /// Starts to play it.
    pub(crate) fn start(&self) -> io::Result<Playing> {
        self.start_by(self.command()?)
    }

    /// Starts to play it by a command that runs this binary, once the folder is there.
    pub(crate) fn start_by(&self, mut command: Command) -> io::Result<Playing> {
        self.surround(&mut command);
        let said = |name: &str| File::create(self.folder.join(name));
        command.stdin(Stdio::null()).stdout(said("stdout")?).stderr(said("stderr")?);
        Ok(self.started(command.spawn()?))
    }

    /// It, as a runner plays it that was started with its command.
    pub(crate) fn started(&self, runner: Child) -> Playing {
        Playing { runner, folder: self.folder.clone(), suite: self.suite }
    }

    fn settings_file(&self) -> PathBuf {
        self.folder.join("soak.toml")
    }
}

impl Playing {
    /// Where S2 leaves what it leaves.
    pub(crate) fn out(&self) -> PathBuf {
        out(&self.folder)
    }

    /// What is left behind, once the runner has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<Left>> {
        let status = self.runner.try_wait()?;
        Ok(status.map(|status| Left { status, folder: self.folder.clone(), suite: self.suite }))
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // It was ours to start. One that has ended cannot be killed, and has been waited for.
        let _ = self.runner.kill();
        let _ = self.runner.wait();
    }
}

impl Left {
    /// The records of the journal, each as JSON.
    pub(crate) fn journal(&self) -> Result<Vec<Value>, AnyError> {
        let text = fs::read_to_string(self.of_suite().join("journal.ndjson"))?;
        Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
    }

    /// The results.
    pub(crate) fn results(&self) -> Result<Value, AnyError> {
        let folder = self.of_suite();
        let is_results = |path: &PathBuf| path.to_string_lossy().contains("-results-");
        let mut files = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
        let path = files.find(is_results).ok_or_else(|| format!("{} has no results", folder.display()))?;
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Every file that was left, and what stands in it.
    pub(crate) fn files(&self) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
        files(&self.folder)
    }

    fn of_suite(&self) -> PathBuf {
        out(&self.folder).join(format!("latest-{}", self.suite))
    }
}

fn out(folder: &Path) -> PathBuf {
    folder.join("out")
}

/// Links are not followed: what they lead to stands somewhere else in the folder.
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if kind.is_file() {
            found.push((entry.path(), fs::read(entry.path())?));
        }
    }
    Ok(found)
}
