//! The source of the token: its text in `S2_TOKEN`, a file named by `S2_TOKEN_FILE`, or the output of
//! `S2_TOKEN_COMMAND`. The latter two are read again when the gateway refuses the token.

use super::{
    environment::{Environment, PLACE},
    problem::Problems,
};
use crate::gateway::{Secret, TokenSource, read_token_file};

const TEXT: &str = "S2_TOKEN";
const FILE: &str = "S2_TOKEN_FILE";
const COMMAND: &str = "S2_TOKEN_COMMAND";

/// The source of the token, if there is one.
pub(super) fn read(environment: &Environment, problems: &Problems) -> Option<TokenSource> {
    let named = [TEXT, FILE, COMMAND].into_iter().filter(|name| environment.value(name).is_some());
    if let [first, others @ ..] = &named.collect::<Vec<_>>()[..]
        && !others.is_empty()
    {
        let what = format!("is set, and so is {}; one of them says where the token is", others.join(", "));
        problems.add(PLACE, first, what);
        return None;
    }
    if let Some(text) = environment.value(TEXT) {
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(TokenSource::Text(Secret::new(text)));
        }
        let what = "has characters that no HTTP header carries (a space or line break at its end?); it is not shown";
        problems.add(PLACE, TEXT, what);
        return None;
    }
    if let Some(path) = environment.path(FILE) {
        // Read now, so that a missing file is a problem before the start.
        if let Err(error) = read_token_file(&path) {
            let text = error.to_string();
            problems.add(PLACE, FILE, text.strip_prefix(FILE).unwrap_or(&text).trim_start());
            return None;
        }
        return Some(TokenSource::File(path));
    }
    environment.value(COMMAND).map(|command| TokenSource::Command(command.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::{Environment, Settings};
    use super::*;

    fn load(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Option<TokenSource>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let environment = Environment::new(folder.path().to_owned(), variables.iter().copied());
        Settings::load(&environment, "").map(|settings| settings.env.token).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_token_has_one_source() {
        let text = load(&[], &[("S2_TOKEN", "sesame")]).unwrap();
        assert_eq!(Some(TokenSource::Text(Secret::new("sesame"))), text);
        let command = load(&[], &[("S2_TOKEN_COMMAND", "exit 1")]).unwrap();
        assert_eq!(Some(TokenSource::Command("exit 1".into())), command, "it is run when the soak begins");
        let file = load(&[("token", "sesame\n")], &[("S2_TOKEN_FILE", "token")]).unwrap();
        assert!(matches!(file, Some(TokenSource::File(path)) if path.ends_with("token")));
        assert_eq!(None, load(&[], &[]).unwrap());
        let two = load(&[("token", "sesame")], &[("S2_TOKEN", "a"), ("S2_TOKEN_FILE", "token")]).unwrap_err();
        assert!(two.contains("`S2_TOKEN` is set, and so is S2_TOKEN_FILE; one of them"), "{two}");
    }

    #[test]
    fn a_file_without_a_token_is_a_problem_before_anything_starts() {
        let missing = load(&[], &[("S2_TOKEN_FILE", "token")]).unwrap_err();
        assert!(missing.contains("`S2_TOKEN_FILE` names ") && missing.contains("No such file"), "{missing}");
        let two_words = load(&[("token", "hunter2 is it")], &[("S2_TOKEN_FILE", "token")]).unwrap_err();
        assert!(
            two_words.contains("`S2_TOKEN_FILE` gives several words") && !two_words.contains("hunter2"),
            "{two_words}"
        );
    }
}
