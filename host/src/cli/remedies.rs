//! The ways out where what is here and its remote do not go together by themselves: commands of the plugin, by any plugin
//! that has them.

use f9_host::{
    Capabilities, Error, ErrorKind, FileBackend, Result,
    serde_json::{Value, json},
};

use super::{output::Output, session::Session};

/// A command of a plugin, and what a plugin lacks that does not have it.
pub(crate) struct Remedy {
    name: &'static str,
    lacking: &'static str,
}

/// Takes the remote's state, and keeps what only is here under a name.
pub(crate) const FOLLOW_REMOTE: Remedy =
    Remedy { name: "follow_remote", lacking: "no remote whose history may be rewritten" };

/// Publishes what is here, whatever became of the remote's.
pub(crate) const KEEP_LOCAL: Remedy =
    Remedy { name: "keep_local", lacking: "no remote whose history may be rewritten" };

/// Goes back to where an interrupted pull began.
pub(crate) const ABORT: Remedy = Remedy { name: "abort", lacking: "no pull that could be taken back" };

/// Mends what is kept here.
pub(crate) const REPAIR: Remedy = Remedy { name: "repair", lacking: "nothing that could be repaired" };

impl Remedy {
    /// Has the plugin do it. Its answer tells in sentences what was done.
    pub(crate) fn run(
        &self,
        name: Option<&str>,
        message: Option<&str>,
        session: &Session<'_>,
        output: &mut Output,
    ) -> Result<()> {
        let backend = session.backend(name)?;
        let arguments = message.map_or_else(|| json!({}), |message| json!({"message": message}));
        let answer = if FileBackend::capabilities(&*backend).contains(Capabilities::COMMAND) {
            FileBackend::command(&*backend, self.name, &arguments)
        } else {
            Err(Error::unsupported(self.name))
        };
        let answer = answer.map_err(|error| match error.kind() {
            ErrorKind::Unsupported => {
                let plugin = &backend.plugin().manifest().name;
                let message = format!("a `{plugin}` backend has {}", self.lacking);
                Error::new(ErrorKind::Unsupported, message)
                    .hint(format!("use a backend with the command `{}`, such as git", self.name))
            }
            _ => error,
        })?;
        let sentences = answer["done"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let text: Vec<_> = sentences.collect();
        output.summary(&answer, format_args!("{}", text.join("\n")))
    }
}
