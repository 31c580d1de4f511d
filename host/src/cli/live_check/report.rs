//! What is told of a check: each step as it ends, the answers, and a last line.

use std::time::Instant;

use f9_host::{
    Error, ErrorKind, Result,
    serde_json::{Value, json},
};

use crate::cli::{output::Output, terminal::one_line};

/// The report in the making.
pub(super) struct Report<'a> {
    output: &'a mut Output,
    passed: usize,
    failed: Vec<&'static str>,
}

impl<'a> Report<'a> {
    pub(super) fn new(output: &'a mut Output) -> Self {
        Self { output, passed: 0, failed: Vec::new() }
    }

    /// Does a step, and tells how it went.
    pub(super) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<String>) -> Result<()> {
        let start = Instant::now();
        let outcome = work();
        let seconds = start.elapsed().as_secs_f64();
        match outcome {
            Ok(detail) => {
                self.passed += 1;
                let value = json!({"step": name, "outcome": "passed", "seconds": seconds, "detail": detail});
                self.tell(&value, format!("ok      {seconds:>6.1} s  {name}: {detail}"))
            }
            Err(error) => {
                self.failed.push(name);
                let error_value = self.output.error_json(&error);
                let value =
                    json!({"step": name, "outcome": "failed", "seconds": seconds, "error": error_value});
                self.tell(&value, format!("FAILED  {seconds:>6.1} s  {name}: {}", error.message()))?;
                Err(error)
            }
        }
    }

    /// Tells what was found out about the service.
    pub(super) fn observation(&mut self, observation: &Value) -> Result<()> {
        let text = |key: &str| observation[key].as_str();
        let question = text("question").unwrap_or("?");
        let answer = text("answer")
            .map_or_else(|| format!("not known: {}", text("error").unwrap_or("?")), str::to_owned);
        let value = json!({
            "observation": observation["id"], "question": question, "answer": observation["answer"],
            "error": observation["error"],
        });
        self.tell(&value, format!("        {question}\n            {answer}"))
    }

    /// The last line.
    pub(super) fn conclude(&mut self, directory: &str, error: Option<&Error>) -> Result<()> {
        let outcome = match error.map(Error::kind) {
            None => "passed",
            Some(ErrorKind::Cancelled) => "interrupted",
            Some(_) => "failed",
        };
        let cleaned = !self.failed.contains(&"clean up");
        let value = json!({
            "outcome": outcome, "passed": self.passed, "failed": self.failed, "directory": directory,
            "cleaned_up": cleaned,
        });
        let rest = if cleaned {
            "nothing of it is left in the store".to_owned()
        } else {
            format!("delete `{directory}` in the store, and sweep it with `f9 sweep --older-than 0`")
        };
        self.tell(&value, format!("{outcome} after {} steps; {rest}", self.passed))
    }

    fn tell(&mut self, value: &Value, text: String) -> Result<()> {
        self.output.progress().clear();
        let lines: Vec<String> = text.lines().map(one_line).collect();
        self.output.at_once(value, format_args!("{}", lines.join("\n")))
    }
}
