//! The client: requests out, answers in, with retries between.

use std::{fmt, sync::Arc, time::Instant};

use f9_plugin_api::{Context, Result};
use reqwest::StatusCode;

use crate::{
    Body, ClientOptions, Request, Response,
    error::{Scrubber, address},
    exchange::{Outgoing, Watch, exchange},
    runtime::Runtime,
};

/// An HTTP client with its pool of connections. Clones share both; methods may be called from any thread.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    context: Context,
}

struct Shared {
    client: reqwest::Client,
    inactivity: std::time::Duration,
    runtime: Runtime,
}

impl Client {
    /// A client that is cancelled through `context`. Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](f9_plugin_api::ErrorKind::InvalidConnection) for a CA bundle or proxy that cannot be used.
    pub fn new(options: &ClientOptions, context: Context) -> Result<Self> {
        let (client, runtime) = (options.build()?, Runtime::start()?);
        let shared = Shared { client, inactivity: options.inactivity_timeout, runtime };
        Ok(Self { shared: Arc::new(shared), context })
    }

    /// The same client, cancelled through another context: what has to be done after a cancellation needs its own.
    #[must_use]
    pub fn with_context(&self, context: Context) -> Self {
        Self { shared: Arc::clone(&self.shared), context }
    }

    /// Sends a request and gives back the answer, whatever its status, as soon as its head has come.
    ///
    /// # Errors
    ///
    /// [`Network`](f9_plugin_api::ErrorKind::Network) if the server cannot be reached or breaks off,
    /// [`Timeout`](f9_plugin_api::ErrorKind::Timeout), [`Cancelled`](f9_plugin_api::ErrorKind::Cancelled),
    /// [`Authentication`](f9_plugin_api::ErrorKind::Authentication) for a certificate that is not trusted; or what the
    /// request's reader answers.
    pub fn send(&self, mut request: Request<'_>) -> Result<Response> {
        request.take_defect()?;
        let mut watch = Watch {
            context: self.context.clone(),
            deadline: request.timeout.map(|timeout| Instant::now() + timeout),
            inactivity: self.shared.inactivity,
            address: address(&request.url),
            scrubber: Scrubber::new(std::mem::take(&mut request.secrets)),
        };
        watch.check(None)?;
        let (policy, pace) = (request.retry, request.pace.take());
        let mut retry = 0;
        loop {
            let replayable = matches!(request.body, Body::Bytes(_));
            let last = !replayable || retry >= policy.max_retries;
            let outcome = {
                let _turn = pace.as_ref().map(|pace| watch.wait_for_turn(pace)).transpose()?;
                self.send_once(&mut request, retry, &watch)
            };
            let pause = match outcome {
                Ok(mut response) => {
                    if last || !policy.may_retry(response.status(), response.headers()) {
                        return Ok(response);
                    }
                    if response.refusal().is_some_and(policy.is_final) {
                        return Ok(response);
                    }
                    let Some(pause) = policy.pause(retry, Some(response.headers())) else {
                        return Ok(response);
                    };
                    if let (Some(pace), StatusCode::TOO_MANY_REQUESTS) = (&pace, response.status()) {
                        pace.hold(pause);
                    }
                    pause
                }
                Err(error) if last || !error.is_retryable() || watch.check(None).is_err() => {
                    return Err(error);
                }
                Err(error) => policy.pause(retry, None).ok_or(error)?,
            };
            watch.sleep(pause)?;
            retry += 1;
        }
    }

    fn send_once(&self, request: &mut Request<'_>, retry: u32, watch: &Watch) -> Result<Response> {
        let mut message = reqwest::Request::new(request.method.clone(), request.url.clone());
        *message.headers_mut() = request.headers.clone();
        if retry > 0 {
            message.headers_mut().insert("x-stainless-retry-count", retry.into());
        }
        let outgoing = match &mut request.body {
            Body::Bytes(bytes) if bytes.is_empty() => None,
            Body::Bytes(bytes) => {
                *message.body_mut() = Some(bytes.clone().into());
                None
            }
            Body::Reader(reader, length) => Some(Outgoing { reader: &mut **reader, length: *length }),
        };
        let shared = &*self.shared;
        exchange(shared.runtime.handle(), &shared.client, message, outgoing, watch).map(Response::new)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}
