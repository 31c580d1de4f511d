//! A plugin that tells its secrets in every way there is.

use std::io::{self, Read, Write};

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, Content, Context, CreateOptions, DeleteOptions, Entries,
    Error, ErrorKind, FileBackend, FileInfo, FileWriter, ListOptions, Plugin, Reader, Result, Secret,
    UpdateMode, export_plugin, log, schemars, serde,
    serde_json::{Value, json},
};

struct Telling;

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
struct Options {
    /// Who opens it.
    login: Option<Login>,
    /// Where it is.
    url: Option<String>,
    /// More doors.
    #[serde(default)]
    keys: Vec<Secret>,
    /// How many doors.
    #[serde(default)]
    fails: bool,
}

/// One of several ways.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde", tag = "kind", rename_all = "lowercase")]
#[schemars(crate = "f9_plugin_api::schemars")]
enum Login {
    /// By a token.
    Token {
        /// The token.
        token: Secret,
    },
    /// As a person.
    Person {
        /// Who.
        name: String,
        /// And why.
        password: Secret,
    },
}

struct Tale {
    secrets: String,
    context: Context,
}

impl Plugin for Telling {
    const NAME: &'static str = "telling";
    const CAPABILITIES: Capabilities = Capabilities::OPEN_WRITE.union(Capabilities::COMMAND);
    type Options = Options;
    type Backend = Tale;

    fn open(options: Options, context: Context) -> Result<Tale> {
        let login = options.login.map(|login| match login {
            Login::Token { token } => token.expose().to_owned(),
            Login::Person { name, password } => format!("{name} {}", password.expose()),
        });
        let keys = options.keys.iter().map(|key| key.expose().to_owned());
        let secrets = login.into_iter().chain(options.url).chain(keys).collect::<Vec<_>>().join(" ");
        log::debug!("opened with {secrets}");
        let tale = Tale { secrets, context };
        if options.fails { Err(tale.error()) } else { Ok(tale) }
    }
}

export_plugin!(Telling);

impl Tale {
    fn error(&self) -> Error {
        let all = &self.secrets;
        Error::new(ErrorKind::Other, format!("message {all}"))
            .at(format!("path {all}"))
            .hint(format!("hint {all}"))
            .with("name", all)
            .with(format!("name {all}"), 1)
            .caused_by(io::Error::other(
                Error::new(ErrorKind::Io, "outer").caused_by(io::Error::other(all.clone())),
            ))
    }
}

impl FileBackend for Tale {
    fn capabilities(&self) -> Capabilities {
        Telling::CAPABILITIES
    }

    fn create(&self, _: &BackendPath, _: Content<'_>, _: CreateOptions) -> Result<FileInfo> {
        Err(self.error())
    }

    fn create_dir(&self, _: &BackendPath, _: CreateOptions) -> Result<FileInfo> {
        panic!("panic {}", self.secrets)
    }

    fn update(&self, _: &BackendPath, _: Content<'_>, _: UpdateMode) -> Result<FileInfo> {
        Err(self.error())
    }

    fn delete(&self, _: &BackendPath, _: DeleteOptions) -> Result<()> {
        log::warn!(target: "dependency::module", "logged {}", self.secrets);
        self.context.progress(&self.secrets, &self.secrets, 1, None);
        Ok(())
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        Ok(FileInfo::new(path.clone(), f9_plugin_api::FileKind::File, 1))
    }

    fn list(&self, _: &BackendPath, _: ListOptions) -> Result<Entries> {
        Ok(Box::new(std::iter::once(Err(self.error()))))
    }

    fn read(&self, _: &BackendPath) -> Result<Bytes> {
        Err(self.error())
    }

    fn open_read(&self, path: &BackendPath, _: ByteRange) -> Result<Reader> {
        let panics = path.as_str() == "panic";
        Ok(Box::new(Stream(self.secrets.clone(), self.error(), panics)))
    }

    fn open_write(&self, _: &BackendPath, _: CreateOptions) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(Stream(self.secrets.clone(), self.error(), false)))
    }

    fn command(&self, name: &str, _: &Value) -> Result<Value> {
        match name {
            "answer" => Ok(json!({"all": [self.secrets], "n": 1})),
            _ => Err(self.error()),
        }
    }
}

struct Stream(String, Error, bool);

impl Read for Stream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        assert!(!self.2, "panic {}", self.0);
        Err(io::Error::other(format!("read {}", self.0)))
    }
}

impl Write for Stream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(Error::new(ErrorKind::Io, format!("write {}", self.0)).into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Stream {
    fn commit(&mut self) -> Result<FileInfo> {
        Err(Error::new(ErrorKind::Io, self.1.to_string()))
    }
}
