//! That nothing goes wrong on a page is worth something only where it would be seen.

use std::fs;

use s2_harness::clock;
use testkit::AnyError;

use crate::report::{
    browser::Browser,
    looks::{LIMIT, LOOK_EVERY, folder, look},
};

/// A page on which everything goes wrong that reports are looked through for.
const ILL: &str = r#"<!doctype html><title>ill</title>
<meta http-equiv="Content-Security-Policy" content="script-src 'sha256-nothing' 'unsafe-eval'; img-src 'none'">
<img src="http://127.0.0.1:9/forbidden.png"><script>window.ran = 1</script>
<iframe src="http://127.0.0.1:9/asked-for"></iframe>"#;

/// What its own script does wrong, where one may run.
const LOUD: &str = r#"<!doctype html><title>loud</title>
<script>setTimeout(() => { throw new Error("it was thrown"); }); console.error("it was said");</script>"#;

pub(crate) fn what_goes_wrong() -> Result<(), AnyError> {
    fs::create_dir_all(folder())?;
    look(async {
        let browser = Browser::start().await?;
        for (name, page, wrong) in [
            ("ill", ILL, &["img-src 'none'", "script-src 'sha256-nothing'"][..]),
            ("loud", LOUD, &["it was thrown", "it was said"]),
        ] {
            let path = folder().join(format!("{name}.html"));
            fs::write(&path, page)?;
            browser.open(&format!("file://{}", path.display()), 1280).await?;
            seen(&browser, wrong).await?;
        }
        let path = folder().join("ill.html");
        browser.open(&format!("file://{}", path.display()), 1280).await?;
        let asked_for = browser.asked_for().await?;
        if !asked_for.iter().any(|url| url == "http://127.0.0.1:9/asked-for") {
            return Err(format!("what the page asked for is not seen: {asked_for:?}").into());
        }
        browser.close().await
    })
}

/// Waits until all of it is among the page's errors.
async fn seen(browser: &Browser, wrong: &[&str]) -> Result<(), AnyError> {
    let began = clock::now();
    let mut errors = String::new();
    while wrong.iter().any(|wrong| !errors.contains(wrong)) {
        if clock::now().saturating_duration_since(began) > LIMIT / 20 {
            return Err(format!("of {wrong:?} only this is seen: {errors}").into());
        }
        tokio::time::sleep(LOOK_EVERY).await;
        browser.errors().await?.iter().for_each(|error| errors += &error.to_string());
    }
    Ok(())
}
