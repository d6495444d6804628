//! The listening side: accepts connections, bounds their number and their time, and ends them in order; never reads a request.

use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutWriter;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::http::{self, HangUp, OverTls};
use crate::App;
use crate::config::Limits;

/// Why a connection is closed without an answer: a rule of a test bench wants it so.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dropped by a rule of faults")
    }
}

impl std::error::Error for Dropped {}

/// A head of a request with all its headers; SDKs that put everything into the query stay far below it.
const HEAD_BYTES: usize = 64 * 1_024;
/// How long to wait when no connection can be accepted, for lack of file descriptors for instance.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Where connections come from.
pub struct Listeners {
    pub plain: TcpListener,
    /// The one for HTTPS, if any, and what it presents.
    pub tls: Option<(TcpListener, TlsAcceptor)>,
}

impl Listeners {
    /// The next connection of any, with what encrypts it.
    async fn accept(&self) -> (TcpStream, Option<TlsAcceptor>) {
        let Some((listener, acceptor)) = &self.tls else {
            return (accept(&self.plain).await, None);
        };
        tokio::select! {
            stream = accept(&self.plain) => (stream, None),
            stream = accept(listener) => (stream, Some(acceptor.clone())),
        }
    }
}

/// Serves `listeners` until `stop`, then lets calls in flight finish for as long as the limits give them.
pub async fn serve(app: Arc<App>, listeners: Listeners, stop: impl Future<Output = ()>) {
    let limits = Arc::new(app.config.limits.clone());
    let router = http::router(app);
    let slots = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepting = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listeners.accept().await)
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (slot, (stream, acceptor)) = accepting => {
                let (router, limits, stopped) = (router.clone(), Arc::clone(&limits), stopped.clone());
                connections.spawn(async move {
                    open(stream, acceptor, router, &limits, stopped).await;
                    drop(slot);
                });
            }
        }
    }
    drop(listeners);
    // The receivers may all be gone already.
    let _ = stopping.send(true);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(Duration::from_millis(limits.shutdown_ms), finished).await.is_err() {
        tracing::warn!(connections = connections.len(), "calls in flight were cut off");
    }
    connections.shutdown().await;
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection can be accepted");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

/// Whether the error is about the connection that was to be accepted and not about accepting.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// Makes a connection ready, for which a client has as long as for a head, and serves it.
async fn open(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    limits: &Limits,
    mut stopped: watch::Receiver<bool>,
) {
    // Without it small answers on a kept connection may wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let Some(acceptor) = acceptor else {
        return connection(stream, false, router, limits, stopped).await;
    };
    let greeted = tokio::select! {
        greeted = tokio::time::timeout(Duration::from_millis(limits.head_ms), acceptor.accept(stream)) => greeted,
        () = until_stopped(&mut stopped) => return,
    };
    match greeted {
        Ok(Ok(stream)) => connection(stream, true, router, limits, stopped).await,
        Ok(Err(error)) => tracing::debug!(%error, "TLS"),
        Err(_) => tracing::debug!("a TLS client did not finish its greeting in time"),
    }
}

async fn connection<S>(stream: S, is_secure: bool, router: Router, limits: &Limits, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(Duration::from_millis(limits.answer_ms)));
    let called = AtomicBool::new(false);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        called.store(true, Ordering::Relaxed);
        if is_secure {
            request.extensions_mut().insert(OverTls);
        }
        let router = router.clone();
        async move {
            let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
            if response.extensions().get::<HangUp>().is_some() { Err(Dropped) } else { Ok::<Response, _>(response) }
        }
    });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(limits.head_ms))
            .half_close(true)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(Box::pin(stream)), service)
    );
    let result = tokio::select! {
        result = &mut served => result,
        () = until_stopped(&mut stopped) => {
            // hyper closes a kept connection that waits for its next head, but would wait for the first one.
            if !called.load(Ordering::Relaxed) {
                return;
            }
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection");
    }
}

/// Waits without keeping the channel's lock across what follows.
async fn until_stopped(stopped: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the daemon.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Instant;

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::config::Config;
    use crate::wire::tls;

    struct Running {
        address: SocketAddr,
        tls_address: SocketAddr,
        stop: oneshot::Sender<()>,
        served: JoinHandle<()>,
        _folder: TempDir,
    }

    impl Running {
        async fn with(adjust: impl FnOnce(&mut Limits)) -> Self {
            let folder = TempDir::new().unwrap();
            let mut config = Config::embedded();
            config.data_dir = folder.path().join("data");
            adjust(&mut config.limits);
            let app = App::open(config).await.unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let (stop, stopped) = oneshot::channel();
            let tls = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let tls_address = tls.local_addr().unwrap();
            let acceptor = tls::acceptor(&app.config).unwrap();
            let listeners = Listeners { plain: listener, tls: Some((tls, acceptor)) };
            let served = tokio::spawn(serve(app, listeners, async { drop(stopped.await) }));
            Self { address, tls_address, stop, served, _folder: folder }
        }

        /// Sends `text` and keeps the connection open.
        async fn open(&self, text: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            stream
        }

        async fn stop(self) -> Duration {
            let start = Instant::now();
            self.stop.send(()).unwrap();
            self.served.await.unwrap();
            start.elapsed()
        }
    }

    /// All that the server sends until it closes the connection.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut text)).await;
        read.expect("the server closes the connection").unwrap();
        text
    }

    const PROBE: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    const LAST_PROBE: &str = "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

    #[tokio::test]
    async fn pipelined_requests_and_http_1_0_are_answered() {
        let running = Running::with(|_| ()).await;
        let mut stream = running.open(&format!("{PROBE}{PROBE}{LAST_PROBE}")).await;
        assert_eq!(rest(&mut stream).await.matches("200 OK").count(), 3);
        let mut stream = running.open("GET /healthz HTTP/1.0\r\n\r\n").await;
        assert!(rest(&mut stream).await.starts_with("HTTP/1.0 200 OK"));
    }

    #[tokio::test]
    async fn a_client_that_waits_for_100_continue_is_told_to_go_on() {
        let running = Running::with(|_| ()).await;
        let head =
            "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
        let mut stream = running.open(head).await;
        let mut told = [0; 12];
        stream.read_exact(&mut told).await.unwrap();
        assert_eq!(&told, b"HTTP/1.1 100");
        stream.write_all(b"A=1").await.unwrap();
        assert!(rest(&mut stream).await.contains("<Code>MissingParameter</Code>"));
    }

    #[tokio::test]
    async fn a_head_or_body_that_never_ends_is_let_go_at_its_deadline() {
        let running = Running::with(|limits| (limits.head_ms, limits.body_ms) = (200, 200)).await;
        for text in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: h\r\n"] {
            assert!(!rest(&mut running.open(text).await).await.contains("200 OK"), "{text}");
        }
        // A TLS client that says nothing, or nothing of TLS, has the same time.
        for text in ["", "GET / HTTP/1.1\r\nHost: h\r\n\r\n"] {
            let mut stream = TcpStream::connect(running.tls_address).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
            ended.expect("the server closes the connection").ok();
            assert!(!answer.starts_with(b"HTTP"), "{text}");
        }
        let mut stream = running.open("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nA=1").await;
        let answer = rest(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("<Code>RequestTimeout</Code>"), "{answer}");
    }

    #[tokio::test]
    async fn a_client_that_never_takes_its_answers_is_let_go_at_their_deadline() {
        let running = Running::with(|limits| limits.answer_ms = 200).await;
        let mut stream = running.open("").await;
        let flood = async { while stream.write_all(PROBE.repeat(1_000).as_bytes()).await.is_ok() {} };
        tokio::time::timeout(Duration::from_secs(10), flood).await.expect("the server closes the connection");
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_answered_before_the_connection_closes() {
        let running = Running::with(|limits| limits.body_bytes = 100_000).await;
        let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut stream = running.open(head).await;
        let chunk = format!("{:x}\r\n{}\r\n", 60_000, "a".repeat(60_000));
        stream.write_all(format!("{chunk}{chunk}0\r\n\r\n").as_bytes()).await.unwrap();
        assert!(rest(&mut stream).await.starts_with("HTTP/1.1 413"));
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait_for_their_turn() {
        let running = Running::with(|limits| limits.connections = 1).await;
        let mut first = running.open(PROBE).await;
        assert_ne!(first.read(&mut [0; 200]).await.unwrap(), 0);
        let mut second = running.open(LAST_PROBE).await;
        let early = tokio::time::timeout(Duration::from_millis(100), second.readable()).await;
        assert!(early.is_err());
        drop(first);
        assert!(rest(&mut second).await.contains("200 OK"));
    }

    #[tokio::test]
    async fn idle_and_slow_clients_do_not_hold_up_the_end() {
        let running = Running::with(|limits| (limits.body_ms, limits.shutdown_ms) = (60_000, 300)).await;
        let silent = running.open("").await;
        let half = running.open("GET / HT").await;
        let unencrypted = TcpStream::connect(running.tls_address).await.unwrap();
        let mut kept = running.open(PROBE).await;
        assert_ne!(kept.read(&mut [0; 200]).await.unwrap(), 0);
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Whatever has not begun a call goes at once, long before the limit of 60 s for a body.
        let address = running.address;
        let quick = running.stop().await;
        assert!(quick < Duration::from_millis(250), "{quick:?}");
        assert!(TcpStream::connect(address).await.is_err());
        drop((silent, half, unencrypted));
        let running = Running::with(|limits| (limits.body_ms, limits.shutdown_ms) = (60_000, 300)).await;
        let body = running.open("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nA=1").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let bounded = running.stop().await;
        assert!(bounded < Duration::from_secs(2), "{bounded:?}");
        drop(body);
    }
}
