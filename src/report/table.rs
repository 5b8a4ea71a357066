//! Columns of text, as wide as the terminal and plain in a pipe.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::text::shown;

/// A table for people. Cells are made harmless, so keys may go in as they are.
pub struct Table(comfy_table::Table);

impl Table {
    /// A table with these headings. `width` is the terminal's, in columns; `None` for a pipe,
    /// where no line is ever wrapped.
    pub fn new(headings: &[&str], width: Option<u16>) -> Self {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING).set_header(headings.iter().copied());
        match width {
            Some(width) => {
                table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width)
            }
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        Self(table)
    }

    /// Sets the columns that hold numbers to the right, counted from 0.
    #[must_use]
    pub fn numbers(mut self, columns: &[usize]) -> Self {
        for &column in columns {
            if let Some(column) = self.0.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        self
    }

    /// Adds a row.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.0.add_row(cells.into_iter().map(|cell| shown(cell.as_ref()).into_owned()));
    }

    /// The lines, without blanks at their ends, each with a line end.
    pub fn text(&self) -> String {
        let lines = self.0.lines();
        lines.map(|line| format!("{}\n", line.trim_end().trim_start_matches(' '))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_harmless_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["bucket", "objects"], None).numbers(&[1]);
        table.row(["photos\u{1b}[2J", "12"]);
        table.row(["logs", "1,200,000"]);
        insta::assert_snapshot!(table.text(), @"");
    }
}
