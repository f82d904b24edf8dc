//! Tables in Markdown, padded so that they can be read as they are.

/// Prints a table: the first column to the left, the others to the right.
pub(crate) fn print(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n{}", text(title, head, rows));
}

fn text(title: &str, head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count(), 3]).max().unwrap_or(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let pad = |(column, cell): (usize, &&str)| match column {
            0 => format!("| {cell:<width$} ", width = widths[0]),
            _ => format!("| {cell:>width$} ", width = widths[column]),
        };
        cells.iter().enumerate().map(pad).collect::<String>() + "|\n"
    };
    let rule = |(column, width): (usize, &usize)| match column {
        0 => format!("|-{}-", "-".repeat(*width)),
        _ => format!("|-{}:", "-".repeat(*width)),
    };
    let mut text = format!("{title}\n\n{}", line(head));
    text += &(widths.iter().enumerate().map(rule).collect::<String>() + "|\n");
    for row in rows {
        text += &line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

/// A number, or `-` if there is none.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "1.00".to_owned()], vec!["bcd".to_owned(), number(None, 2)]];
        let wanted = "t\n\n| w   |    x |\n|-----|-----:|\n| a   | 1.00 |\n| bcd |    - |\n";
        assert_eq!(text("t", &["w", "x"], &rows), wanted);
    }
}
