//! Keep-alive connections for `http` probes. A connection is driven by the request that uses it: no task of its own, and
//! dropping the request drops the connection.

use std::collections::VecDeque;
use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::names::Place;
use super::shot::Miss;
use super::tls::Tls;
use crate::clock::Clock;
use crate::units::Micros;

/// So much of a body is kept; the rest is read and forgotten.
const MOST_BODY: usize = 1 << 20;
/// An unused connection is closed after so long.
const MOST_IDLE: Micros = 30_000_000;

type Stream = Either<TcpStream, Box<TlsStream<TcpStream>>>;
type Message = Request<Full<Bytes>>;

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) secure: bool,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: hyper::HeaderMap,
    /// Empty unless it was asked for.
    pub(super) body: Vec<u8>,
    pub(super) cut: bool,
}

pub(super) struct Pool {
    clock: Clock,
    tls: Option<Tls>,
    shelves: Mutex<Vec<Shelf>>,
}

/// Unused connections to one place, the most recently used last.
struct Shelf {
    origin: Origin,
    place: Place,
    idle: VecDeque<(Micros, Box<Link>)>,
}

impl Pool {
    pub(super) fn new(clock: Clock, tls: Option<Tls>) -> Self {
        Self {
            clock,
            tls,
            shelves: Mutex::default(),
        }
    }

    /// Sends to the first place that lets us connect. Connections to places that the name no longer means are closed.
    pub(super) async fn send(
        &self,
        origin: &Origin,
        places: &[Place],
        mut message: Message,
        keep_body: bool,
    ) -> Result<Answer, Miss> {
        self.forget_others(origin, places);
        let mut refused = Miss::bad("name not found");
        for place in places {
            while let Some(mut link) = self.take(origin, *place) {
                if !link.is_usable() {
                    continue;
                }
                match link.exchange(message, keep_body).await {
                    // The server closed it before anything was sent: this is no second try.
                    Err(Failure::Unsent(unsent)) => message = *unsent,
                    result => return self.keep(origin, *place, link, result),
                }
            }
            match self.connect(origin, *place).await {
                Ok(mut link) => {
                    let result = link.exchange(message, keep_body).await;
                    return self.keep(origin, *place, link, result);
                }
                Err(Miss::Unsent) => return Err(Miss::Unsent),
                Err(miss) => refused = miss,
            }
        }
        Err(refused)
    }

    fn shelves(&self) -> MutexGuard<'_, Vec<Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_others(&self, origin: &Origin, places: &[Place]) {
        self.shelves()
            .retain(|shelf| shelf.origin != *origin || places.contains(&shelf.place));
    }

    fn take(&self, origin: &Origin, place: Place) -> Option<Box<Link>> {
        let mut shelves = self.shelves();
        let mut fitting = shelves
            .iter_mut()
            .filter(|shelf| shelf.place == place && shelf.origin == *origin);
        fitting.next()?.idle.pop_back().map(|(_, link)| link)
    }

    fn keep(
        &self,
        origin: &Origin,
        place: Place,
        mut link: Box<Link>,
        result: Result<Answer, Failure>,
    ) -> Result<Answer, Miss> {
        let answer = result.map_err(Failure::into_miss)?;
        if link.is_usable() {
            let now = self.clock.now();
            let mut shelves = self.shelves();
            let at = shelves
                .iter()
                .position(|shelf| shelf.place == place && shelf.origin == *origin);
            let at = at.unwrap_or_else(|| {
                shelves.push(Shelf {
                    origin: origin.clone(),
                    place,
                    idle: VecDeque::new(),
                });
                shelves.len() - 1
            });
            let idle = &mut shelves[at].idle;
            while idle
                .front()
                .is_some_and(|(since, _)| since + MOST_IDLE < now)
            {
                idle.pop_front();
            }
            idle.push_back((now, link));
        }
        Ok(answer)
    }

    async fn connect(&self, origin: &Origin, place: Place) -> Result<Box<Link>, Miss> {
        let address = SocketAddr::new(place.ip, origin.port);
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| Miss::from(&error))?;
        // Without it a request in two packets waits for an acknowledgement.
        stream.set_nodelay(true).unwrap_or_default();
        let stream = match &self.tls {
            Some(tls) if origin.secure => {
                Either::Right(Box::new(tls.wrap(&origin.host, stream).await?))
            }
            _ => Either::Left(stream),
        };
        let (sender, connection) = http1::Builder::new()
            // A request is small: one plain write is cheaper than a gathered one.
            .writev(false)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| miss_of(&error))?;
        Ok(Box::new(Link {
            sender,
            connection,
            over: false,
        }))
    }
}

/// One connection.
struct Link {
    sender: http1::SendRequest<Full<Bytes>>,
    connection: http1::Connection<TokioIo<Stream>, Full<Bytes>>,
    over: bool,
}

enum Failure {
    Unsent(Box<Message>),
    Miss(Miss),
}

impl Failure {
    fn into_miss(self) -> Miss {
        match self {
            Self::Unsent(_) => Miss::bad("connection closed"),
            Self::Miss(miss) => miss,
        }
    }
}

impl Link {
    /// Open, and done with the request before.
    fn is_usable(&mut self) -> bool {
        // Whoever uses it next polls it again with a waker of its own.
        self.turn(&mut Context::from_waker(Waker::noop()));
        !self.over && self.sender.is_ready()
    }

    /// Lets the connection read and write.
    fn turn(&mut self, cx: &mut Context<'_>) {
        if !self.over {
            // An error reaches the request as well.
            self.over = Pin::new(&mut self.connection).poll(cx).is_ready();
        }
    }

    async fn exchange(&mut self, message: Message, keep_body: bool) -> Result<Answer, Failure> {
        let sending = self.sender.try_send_request(message);
        let response = self.drive(sending).await.map_err(|mut error| {
            error.take_message().map_or_else(
                || Failure::Miss(miss_of(error.error())),
                |message| Failure::Unsent(Box::new(message)),
            )
        })?;
        let (head, body) = response.into_parts();
        let (body, cut) = self.read(body, keep_body).await?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
            cut,
        })
    }

    async fn read(
        &mut self,
        mut body: Incoming,
        keep_body: bool,
    ) -> Result<(Vec<u8>, bool), Failure> {
        let (mut kept, mut cut) = (Vec::new(), false);
        while let Some(frame) = self.drive(body.frame()).await {
            let frame = frame.map_err(|error| Failure::Miss(miss_of(&error)))?;
            if let Some(data) = frame.data_ref().filter(|_| keep_body) {
                let room = MOST_BODY - kept.len();
                cut |= data.len() > room;
                kept.extend_from_slice(&data[..data.len().min(room)]);
            }
        }
        Ok((kept, cut))
    }

    /// Waits for `future`, which gets further only by what the connection does: so the connection alone is waited for, and
    /// nobody is woken by itself.
    async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|cx| {
            let mut asleep = Context::from_waker(Waker::noop());
            if let Poll::Ready(output) = future.as_mut().poll(&mut asleep) {
                return Poll::Ready(output);
            }
            self.turn(cx);
            future.as_mut().poll(&mut asleep)
        })
        .await
    }
}

fn miss_of(error: &hyper::Error) -> Miss {
    if error.is_incomplete_message() {
        return Miss::bad("connection closed");
    }
    if error.is_parse() {
        return Miss::bad("invalid response");
    }
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    cause.map_or_else(|| Miss::bad("connection closed"), Miss::from)
}
