//! Columns of text; where the terminal is too narrow for them, a block of lines for each row.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::text::shown;

/// A table for people. Cells are made harmless, so keys may go in as they are.
pub struct Table {
    headings: Vec<&'static str>,
    /// Columns that hold numbers, counted from 0.
    numbers: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), numbers: Vec::new(), rows: Vec::new() }
    }

    /// Sets the columns that hold numbers to the right, counted from 0.
    #[must_use]
    pub fn numbers(self, columns: &[usize]) -> Self {
        Self { numbers: columns.to_vec(), ..self }
    }

    /// Adds a row.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| shown(cell.as_ref()).into_owned()).collect());
    }

    /// The lines, each with a line end. `width` is the terminal's, in columns; `None` for a pipe,
    /// which always gets columns.
    pub fn text(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(self.headings.iter().copied());
        for row in &self.rows {
            table.add_row(row);
        }
        for (place, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if self.numbers.contains(&place) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let needed: usize =
            table.column_max_content_widths().iter().map(|&width| usize::from(width) + 2).sum();
        match width {
            Some(width) if needed > usize::from(width) + 2 => self.blocks(),
            _ => table.lines().map(|line| format!("{}\n", line.trim_end())).collect(),
        }
    }

    fn blocks(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            for (place, (heading, cell)) in self.headings.iter().zip(row).enumerate() {
                match place {
                    0 => text.push_str(&format!("{cell}\n")),
                    _ if cell.is_empty() => {}
                    _ => text.push_str(&format!("  {heading}: {cell}\n")),
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_harmless_and_numbers_stand_to_the_right() {
        let mut table = Table::new(&["Bucket", "Objects"]).numbers(&[1]);
        table.row(["photos\u{1b}[2J", "12"]);
        table.row(["logs", "1,200,000"]);
        insta::assert_snapshot!(table.text(None), @r"
        Bucket             Objects
        photos\u{1b}[2J         12
        logs             1,200,000
        ");
        insta::assert_snapshot!(table.text(Some(20)), @r"
        photos\u{1b}[2J
          Objects: 12
        logs
          Objects: 1,200,000
        ");
    }
}
