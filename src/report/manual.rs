//! A manual page, which is written in Markdown, for a terminal.

use comfy_table::Table;

use super::table::View;

/// The page under a title, in at most `width` columns (a word that is longer gets broken).
pub fn render(title: &str, page: &str, width: usize, color: bool) -> String {
    let view = View::new(width, color);
    let mut parts = vec![bold(title, color)];
    for block in blocks(page) {
        parts.push(match block.first() {
            Some(first) if first.starts_with("```") => code(&block),
            Some(first) if first.starts_with('|') => table(&block, view),
            Some(first) if first.starts_with('#') => {
                bold(first.trim_start_matches(['#', ' ']), color)
            }
            _ => view.wrapped("", &block.join(" ").replace('*', "")),
        });
    }
    parts
        .iter()
        .map(|part| part.trim_end())
        .collect::<Vec<_>>()
        .join("\n\n")
        + "\n"
}

fn bold(text: &str, color: bool) -> String {
    if color {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Paragraphs, tables and pieces of code.
fn blocks(page: &str) -> Vec<Vec<&str>> {
    let mut blocks: Vec<Vec<&str>> = vec![Vec::new()];
    let mut in_code = false;
    for line in page.lines() {
        let fence = line.starts_with("```");
        if !in_code && (line.is_empty() || fence) {
            blocks.push(Vec::new());
        }
        if let Some(block) = blocks.last_mut().filter(|_| in_code || !line.is_empty()) {
            block.push(line);
        }
        in_code ^= fence;
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

fn code(block: &[&str]) -> String {
    let inner = block.iter().filter(|line| !line.starts_with("```"));
    inner
        .map(|line| format!("    {line}").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

fn table(block: &[&str], view: View) -> String {
    let cells = |row: &str| -> Vec<String> {
        let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
        inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let is_rule = |row: &&&str| row.chars().all(|c| "|-: ".contains(c));
    let mut rows = block
        .iter()
        .filter(|row| !is_rule(row))
        .map(|row| cells(row));
    let mut head = rows.next().unwrap_or_default();
    head.resize(3, String::new());
    let mut table: Table = view.table([head[0].as_str(), head[1].as_str(), head[2].as_str()], &[]);
    for mut row in rows {
        row.resize(3, String::new());
        table.add_row(row.iter().map(|cell| view.cell(cell, None)));
    }
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "`pause`: freezes it;\nnothing answers.\n\n| key | default | |\n|---|---|---|\n| `target` | | who is hit |\n\n*Effect*: none.\n\n```toml\nfor = \"1s\"\n\nx = 1\n```";

    #[test]
    fn paragraphs_tables_and_code() {
        assert_eq!(
            render("pause, a fault", PAGE, 80, false),
            "pause, a fault\n\n  `pause`: freezes it; nothing answers.\n\n  key       default\n  `target`           who is hit\n\n  Effect: none.\n\n    for = \"1s\"\n\n    x = 1\n"
        );
        let narrow = render("pause", PAGE, 40, false);
        assert!(
            narrow.lines().all(|line| line.chars().count() <= 40),
            "{narrow}"
        );
        assert!(render("pause", PAGE, 40, true).starts_with("\x1b[1mpause\x1b[0m"));
    }
}
