//! The program at the remote as a stream.

use std::{
    collections::VecDeque,
    future::{Future as _, poll_fn},
    io::{self, Read, Write},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use f9_plugin_api::{Bytes, Error, ErrorKind, Result};
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};

use super::{
    link::{Kept, Link},
    session::Started,
};
use crate::{
    errors::clean,
    transport::{
        advertised::Advertised,
        smart::{Failure, Pace},
    },
};

/// How much is written at once.
const PIECE: usize = 32 << 10;

/// How much of what the program says on its standard error is kept.
const MAX_WORDS: usize = 4 << 10;

/// How many messages are taken in while one piece is written.
const MAX_TAKEN: usize = 1000;

pub(super) struct Stream {
    link: Arc<Link>,
    kept: Kept,
    reads: ChannelReadHalf,
    writes: ChannelWriteHalf<Msg>,
    /// What has arrived and was not read.
    arrived: VecDeque<Bytes>,
    words: Vec<u8>,
    status: Option<u32>,
    ended: bool,
    broken: bool,
    is_push: bool,
    pace: Pace,
    advertised: Advertised,
    failed: Failure,
}

impl Stream {
    pub(super) fn new(link: Arc<Link>, kept: Kept, started: Started, is_push: bool, failed: Failure) -> Self {
        let (reads, writes) = started.channel.split();
        let pace = Pace::new(link.waiter.timeout());
        let mut stream = Self {
            link,
            kept,
            reads,
            writes,
            arrived: VecDeque::new(),
            words: Vec::new(),
            status: None,
            ended: false,
            broken: false,
            is_push,
            pace,
            advertised: Advertised::new(1),
            failed,
        };
        if let Some(message) = started.message {
            stream.note(Some(message));
        }
        stream
    }

    fn note(&mut self, message: Option<ChannelMsg>) {
        match message {
            Some(ChannelMsg::Data { data }) => self.arrived.push_back(data),
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                let room = MAX_WORDS.saturating_sub(self.words.len());
                self.words.extend_from_slice(&data[..data.len().min(room)]);
            }
            Some(ChannelMsg::ExitStatus { exit_status }) => self.status = Some(exit_status),
            Some(ChannelMsg::Failure) => {
                self.words.extend_from_slice(b"the server does not start git");
                self.ended = true;
            }
            // Not at Eof: the status comes after it.
            Some(ChannelMsg::Close) | None => self.ended = true,
            Some(_) => {}
        }
    }

    fn receive(&mut self, buffer: &mut [u8], list: bool) -> Result<usize> {
        while self.arrived.is_empty() && !self.ended {
            let message = self.link.waiter.wait("reading", self.reads.wait())?;
            self.note(message);
            // What is said on standard error alone gets nobody anywhere.
            self.pace.note(0, false, &self.failed)?;
        }
        let Some(piece) = self.arrived.front_mut() else {
            return if self.status == Some(0) { Ok(0) } else { Err(self.how_it_ended()) };
        };
        let read = piece.len().min(buffer.len());
        buffer[..read].copy_from_slice(&piece.split_to(read));
        if piece.is_empty() {
            self.arrived.pop_front();
        }
        self.pace.note(read, list, &self.failed)?;
        Ok(read)
    }

    fn send(&mut self, buffer: &[u8]) -> Result<usize> {
        let piece = Bytes::copy_from_slice(&buffer[..buffer.len().min(PIECE)]);
        let length = piece.len();
        let mut taken = Vec::new();
        let (reads, writes) = (&mut self.reads, &self.writes);
        let sent = self.link.waiter.wait("writing", async {
            let mut sending = pin!(writes.data_bytes(piece));
            poll_fn(|cx| {
                if let Poll::Ready(sent) = sending.as_mut().poll(cx) {
                    return Poll::Ready(sent.is_ok());
                }
                // Messages that nobody takes would block the session, and with it the leave to send more.
                while taken.len() < MAX_TAKEN {
                    let Poll::Ready(message) = pin!(reads.wait()).poll(cx) else { break };
                    let over = matches!(message, None | Some(ChannelMsg::Close));
                    taken.push(message);
                    if over {
                        return Poll::Ready(false);
                    }
                }
                Poll::Pending
            })
            .await
        })?;
        taken.into_iter().for_each(|message| self.note(message));
        // A program that has ended by itself, with something to say, is still to be read: its report tells why.
        let has_report = self.ended && (self.status == Some(0) || !self.arrived.is_empty());
        if sent || has_report { Ok(length) } else { Err(self.how_it_ended()) }
    }

    fn how_it_ended(&self) -> Error {
        let words = clean(&String::from_utf8_lossy(&self.words));
        match self.status {
            _ if says_no_repository(&words) => {
                Error::new(ErrorKind::RemoteRefused, format!("the remote says: {words}"))
                    .hint("check the path in `remote_url`; some servers say so to users without access")
            }
            _ if !words.is_empty() => {
                Error::new(ErrorKind::RemoteRefused, format!("the remote says: {words}"))
            }
            Some(status) => {
                Error::new(ErrorKind::RemoteRefused, format!("git ended with status {status} at the remote"))
            }
            None => Error::new(ErrorKind::Network, "the SSH connection was lost").hint("try again later"),
        }
    }

    fn fail(&mut self, error: Error) -> io::Error {
        self.broken = true;
        self.failed.note(error)
    }
}

/// In the words of git itself; servers of others have their own, which count as a refusal.
fn says_no_repository(words: &str) -> bool {
    words.contains("does not appear to be a git repository") || words.contains("Repository not found")
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut advertised = std::mem::take(&mut self.advertised);
        let list = advertised.is_open();
        let read = advertised.read(buffer, |buffer| self.receive(buffer, list));
        self.advertised = advertised;
        read.map_err(|error| self.fail(error))
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.send(buffer).map_err(|error| self.fail(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Stream {
    /// After a push, waits for the remote's hooks to end. A conversation that came to its end leaves the session to the next
    /// call.
    fn drop(&mut self) {
        if self.broken || std::thread::panicking() {
            return;
        }
        let (reads, writes, ended, is_push) = (&mut self.reads, &self.writes, self.ended, self.is_push);
        // The push itself is over: how the hooks end does not change it.
        let closed = self.link.waiter.wait("closing", async {
            match (ended, is_push) {
                (true, _) => true,
                (false, false) => writes.close().await.is_ok(),
                (false, true) if writes.eof().await.is_err() => false,
                (false, true) => loop {
                    match reads.wait().await {
                        Some(ChannelMsg::Close) => break true,
                        None => break false,
                        Some(_) => {}
                    }
                },
            }
        });
        if closed.unwrap_or(false) {
            self.kept.put(Arc::clone(&self.link));
        }
    }
}
