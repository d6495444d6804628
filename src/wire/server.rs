//! The listening side: accepts connections, bounds their number and their time, and ends them in order; never reads a request.

use std::convert::Infallible;
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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use super::http;
use crate::App;

/// A head of a request with all its headers; SDKs that put everything into the query stay far below it.
const HEAD_BYTES: usize = 64 * 1_024;
/// How long to wait when no connection can be accepted, for lack of file descriptors for instance.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Serves `listener` until `stop`, then lets calls in flight finish for as long as the limits give them.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let limits = app.config.limits.clone();
    let router = http::router(app);
    let slots = Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS)));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepting = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, accept(&listener).await)
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (slot, stream) = accepting => {
                let connection = connection(stream, router.clone(), limits.head_ms, stopped.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
        }
    }
    drop(listener);
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

async fn connection(stream: TcpStream, router: Router, head_ms: u64, mut stopped: watch::Receiver<bool>) {
    // Without it small answers on a kept connection may wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let called = AtomicBool::new(false);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        called.store(true, Ordering::Relaxed);
        let router = router.clone();
        async move { Ok::<Response, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {})) }
    });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(head_ms))
            .half_close(true)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
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
