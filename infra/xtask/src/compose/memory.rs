//! The memory of the containers, measured at several moments.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;

use super::project::Project;

/// The measurements, each with its title.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Vec<(String, BTreeMap<String, String>)>);

impl Memory {
    /// Adds the present memory of each container.
    pub(super) async fn measure(&mut self, project: &Project, title: &str) -> Result<()> {
        let format = "{{.Name}} {{.MemUsage}}";
        let table = project.engine.output(&["stats", "--no-stream", "--format", format]).await?;
        self.0.push((title.to_owned(), table.lines().filter_map(row).collect()));
        Ok(())
    }

    /// Returns a table with a row for each container and a column for each measurement.
    pub(super) fn table(&self) -> String {
        let names =
            self.0.iter().flat_map(|(_, values)| values.keys()).collect::<std::collections::BTreeSet<_>>();
        let mut text = format!("  {:<38}", "");
        for (title, _) in &self.0 {
            let _ = write!(text, " {title:>14}");
        }
        for name in names {
            let _ = write!(text, "\n  {name:<38}");
            for (_, values) in &self.0 {
                let _ = write!(text, " {:>14}", values.get(name).map_or("", String::as_str));
            }
        }
        text.push('\n');
        text
    }
}

/// Parses a line as `name 3.1MiB / 128MiB`.
fn row(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_came_later_has_an_empty_cell_before() {
        let of = |lines: &[&str]| lines.iter().filter_map(|line| row(line)).collect();
        let memory = Memory(vec![
            ("idle".to_owned(), of(&["rooms_1 3.1MiB / 128MiB"])),
            ("load".to_owned(), of(&["rooms_1 4.2MiB / 128MiB", "rooms_2 3.9MiB / 128MiB"])),
        ]);
        let table = memory.table();
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            rows,
            [vec!["idle", "load"], vec!["rooms_1", "3.1MiB", "4.2MiB"], vec!["rooms_2", "3.9MiB"]]
        );
    }
}
