//! The table: as it grows on the terminal, and as text for a file.

use crate::{Arguments, contenders::Contender};

/// Lines of Markdown, printed as they come.
pub(crate) struct Report {
    text: String,
}

impl Report {
    pub(crate) fn start(contenders: &[Box<dyn Contender>], asked: &Arguments) -> Self {
        let mut report = Self { text: String::new() };
        let mode = if asked.durable { "durable, " } else { "" };
        let names = contenders.iter().map(|contender| contender.name());
        report.line(&cells(&format!("{mode}{}", asked.directory.display()), names));
        report.line(&cells("---", contenders.iter().map(|_| "---:")).replace(' ', ""));
        report
    }

    /// Adds a row of ratios to the first contender, which is told in microseconds.
    pub(crate) fn add(&mut self, name: &str, times: &[Vec<f64>]) {
        let ratios = times.iter().enumerate().map(|(index, own)| match index {
            0 => format!("1 ({})", duration(median(own.clone()))),
            _ if own.is_empty() => "–".to_owned(),
            _ => format!("{:.2}", median(own.iter().zip(&times[0]).map(|(own, std)| own / std).collect())),
        });
        let line = cells(name, ratios.collect::<Vec<_>>().iter().map(String::as_str));
        self.line(&line);
    }

    /// Adds a sentence.
    pub(crate) fn note(&mut self, text: &str) {
        self.line("");
        self.line(text);
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn line(&mut self, line: &str) {
        println!("{line}");
        self.text.push_str(line);
        self.text.push('\n');
    }
}

fn cells<'a>(first: &str, others: impl Iterator<Item = &'a str>) -> String {
    let others: String = others.map(|cell| format!(" {cell} |")).collect();
    format!("| {first} |{others}")
}

fn duration(seconds: f64) -> String {
    match seconds {
        _ if seconds < 1e-3 => format!("{:.1} µs", seconds * 1e6),
        _ => format!("{:.1} ms", seconds * 1e3),
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
