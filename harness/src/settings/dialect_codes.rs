//! The table `[answers]` of a dialect.

use super::{dialect_calls::is_pointer, table::TableReader};
use crate::gateway::dialect::Codes;

/// Reads the table. Every wrong value is a problem.
pub(super) fn codes(mut table: TableReader<'_>) -> Codes {
    let code = table.text("code").unwrap_or_default();
    is_pointer(&table, "code", &code);
    let mut of_codes = table.table("statuses");
    let statuses = of_codes.keys().into_iter().filter_map(|key| Some((key.clone(), of_codes.status(&key)?))).collect();
    of_codes.done();
    table.done();
    Codes { code, statuses }
}

#[cfg(test)]
mod tests {
    use crate::settings::{built_in_dialect, load_dialect};

    #[test]
    fn codes_are_read_and_a_wrong_status_is_a_problem_with_its_line() {
        assert_eq!("", built_in_dialect().codes.code);
        let folder = tempfile::TempDir::new().unwrap();
        let load = |text: &str| {
            std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
            load_dialect("gateway.toml", folder.path()).map_err(|e| e.to_string())
        };
        let codes = load("[answers]\ncode = \"/code\"\n[answers.statuses]\n42203 = 403\nGONE = 410\n").unwrap().codes;
        assert_eq!(
            ("/code", Some(&403), Some(&410)),
            (&*codes.code, codes.statuses.get("42203"), codes.statuses.get("GONE"))
        );
        let error = load("[answers]\ncode = \"code\"\n[answers.statuses]\n42203 = 42203\n").unwrap_err();
        assert!(error.contains("gateway.toml:2: `answers.code` is \"code\"; a JSON pointer"), "{error}");
        assert!(error.contains("gateway.toml:4: `answers.statuses.42203` is 42203; it should be a status"), "{error}");
    }
}
