//! One request to a running daemon and what came back; knows neither calls nor levers.

use std::process::ExitCode;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Whether it was accepted, and the body.
pub type Outcome = Result<(bool, String), String>;

/// Sends a request over plain HTTP.
pub async fn exchange(host: &str, request: Request<Full<Bytes>>) -> Result<(bool, String), Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(host).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let is_success = response.status().is_success();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((is_success, String::from_utf8_lossy(&body).into_owned()))
}

/// Prints what came back: the body on standard output, what kept it from coming on standard error.
pub fn report(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok((is_success, body)) => {
            println!("{body}");
            if is_success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(why) => {
            eprintln!("snapshotd: {why}");
            ExitCode::FAILURE
        }
    }
}
