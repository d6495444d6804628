//! What the HTTPS listener presents: the user's certificate, or one signed by a local CA kept in data_dir; never accepts a connection.

use std::fmt;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock::Clock;
use crate::config::{Config, Tls};
use crate::regions;

const FOLDER: &str = "tls";
const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca-key.pem";
const CA_DAYS: i64 = 3_650;
/// The most that clients accept of a server's certificate.
const CERTIFICATE_DAYS: i64 = 397;
/// The names that every certificate made here is good for, beside those of the regions.
const NAMES: [&str; 4] = ["localhost", "127.0.0.1", "::1", "*.aliyuncs.com"];

/// Why HTTPS cannot be served.
#[derive(Debug)]
pub enum Failure {
    File(PathBuf, String),
    Certificate(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Certificate(why) => write!(f, "the certificate cannot be used: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<rcgen::Error> for Failure {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.to_string())
    }
}

impl Failure {
    fn file<E: fmt::Display>(path: &Path) -> impl FnOnce(E) -> Self {
        move |error| Self::File(path.to_owned(), error.to_string())
    }
}

/// The acceptor that `config` asks for; makes the local CA where it is needed and not there.
///
/// # Errors
/// See [`Failure`].
pub fn acceptor(config: &Config) -> Result<TlsAcceptor, Failure> {
    let (chain, key) = if config.tls.has_own_certificate() { own(&config.tls)? } else { made(config)? };
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    let mut server = server.map_err(|error| Failure::Certificate(error.to_string()))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(server)))
}

/// The certificate of the local CA, PEM.
///
/// # Errors
/// There is none yet, or it cannot be read.
pub fn ca_certificate(data_dir: &Path) -> Result<String, Failure> {
    let path = data_dir.join(FOLDER).join(CA_FILE);
    fs::read_to_string(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::File(path, "there is no CA yet; the first start with [tls] listen makes it".to_owned())
        }
        _ => Failure::File(path, error.to_string()),
    })
}

type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn own(tls: &Tls) -> Result<Identity, Failure> {
    let read = CertificateDer::pem_file_iter(&tls.cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = read.map_err(Failure::file(&tls.cert))?;
    if chain.is_empty() {
        return Err(Failure::File(tls.cert.clone(), "no certificate is in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(Failure::file(&tls.key))?;
    Ok((chain, key))
}

/// A new certificate of the local CA; its key lives as long as the process.
fn made(config: &Config) -> Result<Identity, Failure> {
    let issuer = Issuer::new(ca_params()?, ca_key(&config.data_dir.join(FOLDER))?);
    let listen = config.tls.listen.map(|address| address.ip()).filter(|ip| !ip.is_unspecified());
    let mut names: Vec<String> = NAMES.map(str::to_owned).into();
    names.extend(regions::names().into_iter().map(|region| format!("*.{region}.aliyuncs.com")));
    names.extend(listen.map(|ip| ip.to_string()));
    names.extend(config.tls.names.iter().cloned());
    names.sort_unstable();
    names.dedup();
    let mut params = CertificateParams::new(names)?;
    name_and_date(&mut params, "snapshotd", CERTIFICATE_DAYS);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|why| Failure::Certificate(why.to_owned()))?;
    Ok((vec![certificate.der().clone()], key))
}

/// What the CA says of itself; the same at each start, so that its stored key alone is enough to sign with.
fn ca_params() -> Result<CertificateParams, Failure> {
    let mut params = CertificateParams::new(Vec::new())?;
    name_and_date(&mut params, "snapshotd local CA", CA_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// Valid from the day before, for machines whose clocks are a little behind.
fn name_and_date(params: &mut CertificateParams, name: &str, days: i64) {
    let midnight = |days| {
        let (year, month, day) = Clock::system().wall_now().plus_days(days).date();
        date_time_ymd(year.into(), month, day)
    };
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = midnight(-1);
    params.not_after = midnight(days - 1);
}

/// The CA's key, made with its certificate when it is not there.
fn ca_key(folder: &Path) -> Result<KeyPair, Failure> {
    let (certificate_file, key_file) = (folder.join(CA_FILE), folder.join(CA_KEY_FILE));
    match fs::read_to_string(&key_file) {
        Ok(text) if certificate_file.is_file() => return KeyPair::from_pem(&text).map_err(Failure::file(&key_file)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Failure::file(&key_file)(error)),
        // A start that was cut short left the key alone: nobody trusts it yet.
        Ok(_) | Err(_) => {}
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Failure::file(folder))?;
    let key = KeyPair::generate()?;
    let certificate = ca_params()?.self_signed(&key)?;
    write_private(&key_file, &key.serialize_pem())?;
    write_private(&certificate_file, &certificate.pem())?;
    Ok(key)
}

fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(Failure::file(path))
}
