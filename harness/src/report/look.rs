//! How text is to look: so many columns, with or without colour. Who asks knows the terminal; here it is only obeyed.

use console::{Style, measure_text_width, truncate_str};

use crate::results::Status;

/// The abilities of the reader's terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalLook {
    /// Columns of the terminal; [`TerminalLook::PLAIN`] has no end of them.
    pub columns: usize,
    /// Whether escape codes for colour are understood and wanted.
    pub is_coloured: bool,
}

impl TerminalLook {
    /// A file or a CI log: lines of any length, and no escape code.
    pub const PLAIN: Self = Self { columns: usize::MAX, is_coloured: false };

    pub(super) fn paint(self, style: Style, text: &str) -> String {
        if self.is_coloured { style.force_styling(true).apply_to(text).to_string() } else { text.to_owned() }
    }

    /// Text in the colour of a status.
    pub(super) fn of_status(self, status: &Status, text: &str) -> String {
        let style = match status {
            Status::Fail => Style::new().red().bold(),
            Status::Unproven => Style::new().yellow().bold(),
            Status::Pass => Style::new().green(),
            Status::Pending | Status::Waived(_) => Style::new().dim(),
        };
        self.paint(style, text)
    }

    /// A line that does not wrap: what is too long ends in `…`.
    pub(super) fn fit(self, line: &str) -> String {
        truncate_str(line, self.columns, "…").into_owned()
    }
}

/// How many columns a text takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    measure_text_width(text)
}

/// A text that takes exactly so many columns: cut, or with spaces after it.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let cut = truncate_str(text, columns, "…");
    let spaces = columns.saturating_sub(width(&cut));
    format!("{cut}{}", " ".repeat(spaces))
}

/// A name that takes exactly so many columns: cut in the middle, since many differ by how they end.
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

/// A text that takes exactly so many columns, with spaces before it.
pub(super) fn padded_left(text: &str, columns: usize) -> String {
    let cut = truncate_str(text, columns, "…");
    let spaces = columns.saturating_sub(width(&cut));
    format!("{}{cut}", " ".repeat(spaces))
}
