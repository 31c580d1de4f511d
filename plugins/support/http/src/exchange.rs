//! One request and its answer, between the calling thread and the runtime's.
//!
//! The calling thread keeps the request's reader, which need not outlive the call, and hands over a piece whenever the
//! connection wants one. All it waits for arrives on one channel of [`Event`]s, so time and cancellation are watched in one
//! place ([`Watch`]).

use std::{
    fmt,
    io::{self, Read},
    pin::Pin,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    task::{self, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use f9_plugin_api::{Context, Error, ErrorKind, Result};
use http_body::{Frame, SizeHint};
use reqwest::{StatusCode, header::HeaderMap};
use tokio::{
    runtime::Handle,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::AbortHandle,
};

use crate::{
    Pace,
    error::{Scrubber, transport_error},
    pace::Turn,
};

/// How often a waiting thread looks whether it shall stop.
const TICK: Duration = Duration::from_millis(50);

/// Pieces of a response on their way at most: keeps the connection busy while the caller works on one.
const WINDOW: usize = 4;

/// How much of a reader is handed over at once.
const PIECE: usize = 64 << 10;

/// How long to wait, and for whom.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) context: Context,
    pub(crate) deadline: Option<Instant>,
    pub(crate) inactivity: Duration,
    pub(crate) address: String,
    pub(crate) scrubber: Scrubber,
}

/// What the calling thread is told.
enum Event {
    WantsBody,
    Head(StatusCode, HeaderMap),
    Data(Bytes),
    End,
    Failed(reqwest::Error),
}

/// The head of an answer, and the way to its body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
}

/// The body of an answer, as it comes.
pub(crate) struct Incoming {
    events: Receiver<Event>,
    credits: UnboundedSender<()>,
    task: AbortHandle,
    watch: Watch,
    ended: bool,
}

/// The body of a request: what is sent, and where from if it is not in the request already.
pub(crate) struct Outgoing<'a> {
    pub(crate) reader: &'a mut (dyn Read + Send),
    pub(crate) length: Option<u64>,
}

/// Sends a request and waits for the head of the answer.
pub(crate) fn exchange(
    runtime: &Handle,
    client: &reqwest::Client,
    mut request: reqwest::Request,
    mut outgoing: Option<Outgoing<'_>>,
    watch: &Watch,
) -> Result<Answer> {
    let (teller, events) = channel();
    let (credits, granted) = unbounded_channel();
    let (pieces, body) = unbounded_channel();
    if let Some(outgoing) = &outgoing {
        let body = Upload { pieces: body, events: teller.clone(), length: outgoing.length, waiting: false };
        *request.body_mut() = Some(reqwest::Body::wrap(body));
    }
    let task = runtime.spawn(converse(client.clone(), request, teller, granted)).abort_handle();
    let body = Incoming { events, credits, task, watch: watch.clone(), ended: false };
    for _ in 0..WINDOW {
        let _ = body.credits.send(()); // a task that has ended says so by its events
    }
    loop {
        match watch.next(&body.events)? {
            Event::WantsBody => hand_over(outgoing.as_mut(), &pieces)?,
            Event::Head(status, headers) => return Ok(Answer { status, headers, body }),
            Event::Failed(error) => return Err(transport_error(&error, &watch.address, &watch.scrubber)),
            Event::Data(_) | Event::End => {} // a head comes before them
        }
    }
}

/// The runtime's side.
async fn converse(
    client: reqwest::Client,
    request: reqwest::Request,
    events: Sender<Event>,
    mut credits: UnboundedReceiver<()>,
) {
    // Whoever does not listen any more has dropped the credits too: that ends the loop.
    let tell = |event| drop(events.send(event));
    let mut response = match client.execute(request).await {
        Ok(response) => response,
        Err(error) => return tell(Event::Failed(error)),
    };
    tell(Event::Head(response.status(), response.headers().clone()));
    while credits.recv().await.is_some() {
        match response.chunk().await {
            Ok(Some(data)) => tell(Event::Data(data)),
            Ok(None) => return tell(Event::End),
            Err(error) => return tell(Event::Failed(error)),
        }
    }
}

/// Gives the connection its next piece of the request's body.
fn hand_over(outgoing: Option<&mut Outgoing<'_>>, pieces: &UnboundedSender<Piece>) -> Result<()> {
    let Some(outgoing) = outgoing else { return Ok(()) };
    let mut buffer = vec![0; PIECE];
    let read = loop {
        match outgoing.reader.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => break result?,
        }
    };
    buffer.truncate(read);
    let piece = if read == 0 { Piece::End } else { Piece::Data(buffer.into()) };
    let _ = pieces.send(piece); // a connection that is gone reports that as an event
    Ok(())
}

impl Watch {
    fn next(&self, events: &Receiver<Event>) -> Result<Event> {
        let silent = Instant::now() + self.inactivity;
        loop {
            match events.recv_timeout(TICK) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => self.check(Some(silent))?,
                Err(RecvTimeoutError::Disconnected) => {
                    let message = format!("the exchange with {} was given up", self.address);
                    return Err(Error::new(ErrorKind::Network, message));
                }
            }
        }
    }

    /// Whether there is still time, and anybody waiting for the answer.
    pub(crate) fn check(&self, silent: Option<Instant>) -> Result<()> {
        self.context.check_cancelled()?;
        let now = Instant::now();
        let timeout = |what| Error::new(ErrorKind::Timeout, what).hint("try again later, or allow more time");
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            return Err(timeout(format!("the request to {} was not done in time", self.address)));
        }
        if silent.is_some_and(|silent| now >= silent) {
            let seconds = self.inactivity.as_secs_f32();
            return Err(timeout(format!("{} was silent for {seconds} s", self.address)));
        }
        Ok(())
    }

    /// Waits for a request's turn, which is not counted.
    pub(crate) fn wait_for_turn<'p>(&mut self, pace: &'p Pace) -> Result<Turn<'p>> {
        let began = Instant::now();
        let turn = pace.wait(&self.context)?;
        self.deadline = self.deadline.map(|deadline| deadline + began.elapsed());
        Ok(turn)
    }

    /// Sleeps, but no longer than is allowed.
    pub(crate) fn sleep(&self, duration: Duration) -> Result<()> {
        let end = Instant::now() + duration;
        loop {
            self.check(None)?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(TICK));
        }
    }
}

impl Incoming {
    /// The next piece; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            self.watch.check(None)?;
            match self.watch.next(&self.events)? {
                Event::Data(data) => {
                    let _ = self.credits.send(());
                    return Ok(Some(data));
                }
                Event::End => self.ended = true,
                Event::Failed(error) => {
                    return Err(transport_error(&error, &self.watch.address, &self.watch.scrubber));
                }
                Event::WantsBody | Event::Head(..) => {} // the answer came before all of the request was read
            }
        }
        Ok(None)
    }

    /// Waits for the end, but not for longer than `patience`, and not if there is more to come than a little.
    pub(crate) fn finish(self, patience: Duration) {
        let end = Instant::now() + patience;
        for _ in 0..WINDOW {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Event::Data(_)) => drop(self.credits.send(())),
                Ok(Event::End | Event::Failed(_)) | Err(_) => return,
                Ok(Event::WantsBody | Event::Head(..)) => {}
            }
        }
    }

    pub(crate) const fn watch(&self) -> &Watch {
        &self.watch
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.task.abort();
    }
}

enum Piece {
    Data(Bytes),
    End,
}

/// A request's body on the runtime's side.
struct Upload {
    pieces: UnboundedReceiver<Piece>,
    events: Sender<Event>,
    length: Option<u64>,
    waiting: bool,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = Abandoned;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Abandoned>>> {
        if !self.waiting {
            self.waiting = self.events.send(Event::WantsBody).is_ok();
        }
        let piece = task::ready!(self.pieces.poll_recv(cx));
        self.waiting = false;
        Poll::Ready(match piece {
            Some(Piece::Data(data)) => Some(Ok(Frame::data(data))),
            Some(Piece::End) => None,
            // Without its end the body is not complete: the connection must break, not close in good order.
            None => Some(Err(Abandoned)),
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// The caller has given up a request whose body is not complete.
#[derive(Debug)]
struct Abandoned;

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was abandoned")
    }
}

impl std::error::Error for Abandoned {}
