//! Trust in certificates: `S2_CA_FILE` adds private authorities to the machine's; only `S2_TLS_VERIFY=off` accepts any.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    environment::{Environment, PLACE},
    problem::Problems,
};
use crate::gateway::Trust;

const CA_FILE: &str = "S2_CA_FILE";
const VERIFY: &str = "S2_TLS_VERIFY";
/// Ten times the size of all of a machine's own authorities.
const CA_FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The trust, and the file of private authorities.
pub(super) fn read(environment: &Environment, problems: &Problems) -> (Trust, Option<PathBuf>) {
    let file = environment.path(CA_FILE);
    let trust = file.as_deref().map(authorities).transpose();
    let trust = trust.map_err(|what| problems.add(PLACE, CA_FILE, what)).ok().flatten().unwrap_or_default();
    let trust = match environment.value(VERIFY) {
        None | Some("on") => trust,
        Some("off") => trust.without_verifying(),
        Some(other) => {
            problems.add(PLACE, VERIFY, format!("is {other:?}; it should be on, or off to accept any certificate"));
            trust
        }
    };
    (trust, file)
}

fn authorities(path: &Path) -> Result<Trust, String> {
    let shown = path.display();
    let pem = bytes(path).map_err(|e| format!("names {shown}: {e}; it should be a file of certificates, in PEM"))?;
    Trust::with_authorities(&pem).map_err(|e| format!("names {shown}, which {e}"))
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(CA_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > CA_FILE_BYTES_MAX {
        return Err(io::Error::other(format!("over {CA_FILE_BYTES_MAX} bytes, which is no list of authorities")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use base64::{Engine, engine::general_purpose::STANDARD};

    use super::super::Settings;
    use crate::{catalog::Suite, gateway::Trust};

    /// Settings with these variables, and files in a folder of their own.
    fn load(files: &[(&str, &[u8])], variables: &[(&str, &str)]) -> Result<Settings, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let yours = ("S2_GATEWAY_URL", "https://gateway.example");
        let variables = variables.iter().copied().chain([yours]);
        let environment = super::Environment::new(folder.path().to_owned(), variables);
        let text = |problems: super::super::SettingsError| {
            problems.to_string().replace(&folder.path().display().to_string(), "/here")
        };
        Settings::load(&environment, "").map_err(text)
    }

    fn der() -> Vec<u8> {
        rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).unwrap().cert.der().to_vec()
    }

    fn pem(what: &str, der: &[u8]) -> Vec<u8> {
        format!("# by hand\n-----BEGIN {what}-----\n{}\n-----END {what}-----\n", STANDARD.encode(der)).into_bytes()
    }

    #[test]
    fn a_file_of_certificates_is_trusted_by_your_gateway_alone_and_shown_by_its_path() {
        let two = [pem("CERTIFICATE", &der()), pem("PRIVATE KEY", b"not for us"), pem("CERTIFICATE", &der())].concat();
        let settings = load(&[("ca.pem", &two)], &[("S2_CA_FILE", "ca.pem")]).unwrap();
        assert_eq!("Trust { authorities: 2, verifies: true }", format!("{:?}", settings.trust_for(Suite::Full)));
        assert_eq!(Trust::default(), settings.trust_for(Suite::Rehearsal));
        assert!(
            settings.without_secrets()["caFile"].ends_with("/ca.pem")
                && !settings.without_secrets().contains_key("tlsVerify")
        );
    }

    #[test]
    fn certificates_are_not_looked_at_only_where_that_is_said_and_then_it_is_shown() {
        let verifies =
            |value: &str| load(&[], &[("S2_TLS_VERIFY", value)]).map(|s| s.trust_for(Suite::Smoke).verifies());
        assert_eq!((Ok(true), Ok(false)), (verifies("on"), verifies("off")));
        assert!(load(&[], &[]).unwrap().trust_for(Suite::Smoke).verifies());
        for wrong in ["OFF", "false", "0", "no", "off "] {
            let text = verifies(wrong).unwrap_err();
            let right = format!("`S2_TLS_VERIFY` is {wrong:?}; it should be on, or off to accept any certificate");
            assert!(text.contains(&right), "{text}");
        }
        let settings = load(&[], &[("S2_TLS_VERIFY", "off")]).unwrap();
        assert_eq!("off", settings.without_secrets()["tlsVerify"]);
        assert!(settings.trust_for(Suite::Rehearsal).verifies());
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said_with_all_other_problems() {
        let (cut, rubbish) = (&pem("CERTIFICATE", &der())[..200], pem("CERTIFICATE", b"rubbish"));
        let files: [(&str, &[u8]); 5] = [
            ("key.pem", &pem("PRIVATE KEY", b"key")),
            ("ca.der", &der()),
            ("cut.pem", cut),
            ("rubbish.pem", &[pem("CERTIFICATE", &der()), rubbish].concat()),
            ("empty.pem", b""),
        ];
        let said: BTreeMap<&str, String> =
            ["key.pem", "ca.der", "cut.pem", "rubbish.pem", "empty.pem", "gone.pem", "."]
                .map(|name| {
                    let text = load(&files, &[("S2_CA_FILE", name), ("S2_TLS_VERIFY", "maybe"), ("S2_PACE", "fast")]);
                    (name, text.unwrap_err())
                })
                .into();
        for (name, what) in [
            ("key.pem", "which has no certificate in it"),
            ("ca.der", "which is not PEM"),
            ("empty.pem", "which is not PEM"),
            ("cut.pem", "number 1, that cannot be read ("),
            ("rubbish.pem", "number 2, that cannot be read ("),
            ("gone.pem", ": No such file"),
            (".", ": Is a directory"),
        ] {
            let text = &said[name];
            assert!(text.starts_with("the settings have 3 problems:"), "{text}");
            let line = text.lines().find(|line| line.contains("`S2_CA_FILE` names /here/")).unwrap_or_default();
            assert!(line.contains(what) && line.contains(name), "{what} in {text}");
        }
    }
}
