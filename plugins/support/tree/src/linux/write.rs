//! A stream into a file.

use std::io::Write;

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileInfo, FileWriter, Result};

use super::{
    draft::Draft,
    spot::{Rule, Spot},
};
use crate::Tree;

const DOING: &str = "write the file";

/// Content that becomes the file's with [`commit`](FileWriter::commit).
#[derive(Debug)]
pub(crate) struct Writer {
    tree: Tree,
    path: BackendPath,
    rule: Rule,
    /// Gone when it is committed, or when something failed.
    draft: Option<Draft>,
}

impl Writer {
    pub(crate) fn open(tree: Tree, path: &BackendPath, overwrite: bool) -> Result<Self> {
        let rule = Rule::creating(overwrite);
        let (draft, _) = Draft::start(&tree, || Spot::preview(&tree, path, rule, DOING), DOING)?;
        Ok(Self { tree, path: path.clone(), rule, draft: Some(draft) })
    }

    fn draft(&mut self) -> Result<&mut Draft> {
        self.draft.as_mut().ok_or_else(|| over(&self.path))
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.draft().and_then(|draft| draft.write(bytes, DOING));
        if let Err(error) = written {
            self.draft = None;
            return Err(error.at(&self.path).into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Writer {
    fn commit(&mut self) -> Result<FileInfo> {
        let draft = self.draft.take().ok_or_else(|| over(&self.path))?;
        let committed = draft.commit(&self.tree, &self.path, None, self.rule, DOING);
        committed.map_err(|error| self.tree.explain(error).at(&self.path))
    }
}

fn over(path: &BackendPath) -> Error {
    Error::new(ErrorKind::InvalidOperation, "cannot write the file: the stream was committed, or has failed")
        .at(path)
        .hint("open another stream")
}
