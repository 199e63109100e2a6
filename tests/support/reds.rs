//! What is not green, as the results say it.

use std::collections::BTreeMap;

use serde_json::Value;

/// Of each judgement that is not green, the name and all that is said of it; those that are waived are not among them.
pub(crate) fn reds(results: &Value) -> Result<BTreeMap<String, Value>, String> {
    let waived = results["waived"].as_array().ok_or("the results do not say what is waived")?;
    let mut reds = BTreeMap::new();
    for kind in ["kpis", "workloads", "harness"] {
        let judged = results[kind].as_array().ok_or_else(|| format!("the results have no {kind}"))?;
        for judgement in judged {
            let name = judgement["name"].as_str().ok_or("a judgement without a name")?;
            let is_waived = waived.iter().any(|waived| waived["name"] == name);
            if judgement["verdict"] != "pass" && !is_waived {
                reds.insert(name.to_owned(), judgement.clone());
            }
        }
    }
    Ok(reds)
}
