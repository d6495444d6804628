//! Requests that this program sends, over plain HTTP; never signs or reads them.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why there is no answer.
pub type Unanswered = Box<dyn std::error::Error + Send + Sync>;

/// Sends a request to `host`, `ADDRESS:PORT`; returns once the head of the answer is there.
///
/// # Errors
/// Nobody listens, or the connection ends too early.
pub async fn send(host: &str, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Unanswered> {
    let stream = TcpStream::connect(host).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// As [`send`]; whether the request was accepted, and the whole body.
///
/// # Errors
/// Nobody listens, or the connection ends too early.
pub async fn exchange(host: &str, request: Request<Full<Bytes>>) -> Result<(bool, String), Unanswered> {
    let response = send(host, request).await?;
    let is_success = response.status().is_success();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((is_success, String::from_utf8_lossy(&body).into_owned()))
}
