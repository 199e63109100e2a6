//! The look of text on a terminal: its columns and colours.

use console::{Alignment, Style, measure_text_width, pad_str, truncate_str};

use crate::results::Status;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TerminalLook {
    /// Columns of the terminal; without a bound in [`TerminalLook::PLAIN`].
    pub(crate) columns: usize,
    /// Whether escape codes for colour are understood and wanted.
    pub(crate) is_coloured: bool,
}

impl TerminalLook {
    /// A file or a CI log: lines of any length, and no escape code.
    pub(crate) const PLAIN: Self = Self { columns: usize::MAX, is_coloured: false };

    pub(super) fn paint(self, style: Style, text: &str) -> String {
        if self.is_coloured { style.force_styling(true).apply_to(text).to_string() } else { text.to_owned() }
    }

    pub(super) fn of_status(self, status: &Status, text: &str) -> String {
        let style = match status {
            Status::Fail => Style::new().red().bold(),
            Status::Unproven => Style::new().yellow().bold(),
            Status::Pass => Style::new().green(),
            Status::Pending | Status::Waived(_) => Style::new().dim(),
        };
        self.paint(style, text)
    }

    /// Cuts a line so that it does not wrap.
    pub(super) fn fit(self, line: &str) -> String {
        truncate_str(line, self.columns, "…").into_owned()
    }
}

/// Columns that a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    measure_text_width(text)
}

/// A text cut or padded to exactly these columns, with spaces after it.
pub(super) fn padded(text: &str, columns: usize) -> String {
    pad_str(&truncate_str(text, columns, "…"), columns, Alignment::Left, None).into_owned()
}

/// A name cut or padded to exactly these columns. It is cut in the middle, since many names differ in their ends.
pub(super) fn padded_name(name: &str, columns: usize) -> String {
    const TAIL_CHARS: usize = 5;
    let chars = name.chars().count();
    if width(name) <= columns || columns < 2 * TAIL_CHARS {
        return padded(name, columns);
    }
    let head: String = name.chars().take(columns - 1 - TAIL_CHARS).collect();
    let tail: String = name.chars().skip(chars.saturating_sub(TAIL_CHARS)).collect();
    padded(&format!("{head}…{tail}"), columns)
}

/// A text cut or padded to exactly these columns, with spaces before it.
pub(super) fn padded_left(text: &str, columns: usize) -> String {
    pad_str(&truncate_str(text, columns, "…"), columns, Alignment::Right, None).into_owned()
}
