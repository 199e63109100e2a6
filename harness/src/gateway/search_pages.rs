//! A search, page by page.

use serde_json::json;

use super::{Client, Outcome, search::PageStart};
use crate::catalog::CallName;

impl Client {
    /// Reads a page of a search for a text, for an agent and perhaps one of its versions.
    pub async fn search_page(&self, text: &str, slug: &str, version: &str, start: &PageStart) -> Outcome {
        let paging = self.dialect().call(CallName::Search).map(|spec| spec.habits.paging).unwrap_or_default();
        let cursor = if start.cursor.is_null() { json!("") } else { start.cursor.clone() };
        let mut fill = vec![("text", json!(text)), ("slug", json!(slug)), ("version", json!(version))];
        fill.extend(paging.fill(start.pages_before, start.hits_before, &cursor));
        match &start.link {
            None => self.attempt(CallName::Search, &fill).await,
            Some(link) => self.attempt_at(CallName::Search, &fill, link).await,
        }
    }
}
