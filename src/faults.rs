//! Faults: codes as the vendor spells them, and the one table that gives each its status and text; never renders or logs.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;

/// A refusal in the vendor's terms: what an action answers instead of its response.
///
/// Status and text are looked up per action when the answer is rendered, see [`Fault::resolve`]. The cause of an
/// internal fault is for the log alone and never reaches a caller.
#[derive(Debug)]
pub struct Fault {
    code: Cow<'static, str>,
    arguments: Vec<String>,
    variant: usize,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What a caller sees of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// HTTP status, 400 to 503.
    pub status: u16,
    pub message: String,
}

/// A fault with the vendor's `code`, such as `SnapshotCreatedImage`.
#[must_use]
pub fn fault(code: impl Into<Cow<'static, str>>) -> Fault {
    Fault { code: code.into(), arguments: Vec::new(), variant: 0, cause: None }
}

impl Fault {
    /// 500 `InternalError`, with the cause kept for the log.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { cause: Some(cause.into()), ..fault(INTERNAL) }
    }

    /// A required parameter that is absent, by its wire name: `SnapshotId`, `Tag.1.Key`.
    #[must_use]
    pub fn missing(parameter: impl Into<String>) -> Self {
        fault(MISSING).with(parameter)
    }

    /// A parameter that cannot be read and for which the action has no code of its own.
    #[must_use]
    pub fn invalid(parameter: impl Into<String>) -> Self {
        fault("InvalidParameter").with(parameter)
    }

    /// Fills the next `%s` of the text.
    #[must_use]
    pub fn with(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Chooses among several documented meanings of one code, counted from 0 in the order of the table.
    #[must_use]
    pub fn variant(mut self, variant: usize) -> Self {
        self.variant = variant;
        self
    }

    /// The same refusal as the table of `action` spells it, where that has a row for another spelling alone.
    #[must_use]
    pub fn as_spelled_by(mut self, action: &str) -> Self {
        let is_its_own = |(common, other): &&(&str, &str)| {
            *common == self.code && !is_documented(action, common) && is_documented(action, other)
        };
        if let Some((_, other)) = SPELLINGS.iter().find(is_its_own) {
            self.code = Cow::Borrowed(other);
        }
        self
    }

    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }

    /// Status and text for a caller of `action`: the action's own row, else the common one.
    #[must_use]
    pub fn resolve(&self, action: &str) -> Resolved {
        // Some rows name the one parameter that their page thought of; another one is told of by the common row.
        let names_another = |row: &Row| {
            let told = |name: &String| row.message.contains("%s") || row.message.contains(name.as_str());
            self.code == MISSING && !self.arguments.iter().all(told)
        };
        let own = table().find(action, &self.code, self.variant).filter(|row| !names_another(row));
        let Some(row) = own.or_else(|| table().find(COMMON, &self.code, 0)) else {
            debug_assert!(false, "{} has no row for {action}", self.code);
            return Resolved { status: 500, message: self.code.to_string() };
        };
        let mut message = String::with_capacity(row.message.len());
        let mut arguments = self.arguments.iter();
        for (i, part) in row.message.split("%s").enumerate() {
            if i > 0 {
                message.push_str(arguments.next().map_or("", String::as_str));
            }
            message.push_str(part);
        }
        Resolved { status: row.status, message }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::internal(error)
    }
}

/// Whether the table has a row of its own for this action and code, the common rows left out.
#[must_use]
pub fn is_documented(action: &str, code: &str) -> bool {
    table().rows.contains_key(&(action, code))
}

/// The code with which the action's own table tells that RegionId is missing; `None` where it does not.
#[must_use]
pub fn missing_region(action: &str) -> Option<&'static str> {
    let codes = ["MissingParameter.RegionId", "MissingParamter.RegionId", "Invalid.Parameter", MISSING];
    let tells = |row: &Row| row.message.contains("egionId");
    codes.into_iter().find(|code| table().rows.get(&(action, *code)).is_some_and(|rows| rows.iter().any(tells)))
}

/// Every status that the table gives for this action and code, the common rows included.
#[must_use]
pub fn statuses(action: &str, code: &str) -> Vec<u16> {
    let rows = [action, COMMON].into_iter().filter_map(|scope| table().rows.get(&(scope, code)));
    rows.flatten().map(|row| row.status).collect()
}

/// Codes of what happens around every action and of keys, with the spelling that the tables of some actions have instead.
const SPELLINGS: [(&str, &str); 7] = [
    ("InvalidParameter.KMSKeyId.NotFound", "InvalidKMSKeyId.NotFound"),
    ("InvalidParameter.KMSKeyId.NotFound", "InvalidOperation.KMSKeyIdNotFound"),
    ("InvalidAccessKeyId.NotFound", "InvalidAliUid.IsNull"),
    ("IdempotentParameterMismatch", "IdempotenceParamNotMatch"),
    ("IdempotentProcessing", "LastTokenProcessing"),
    ("InvalidClientToken.Malformed", "InvalidClientToken.ValueNotSupported"),
    ("Operation.Conflict", "OperationConflict"),
];

/// The code of failures of the daemon itself.
const INTERNAL: &str = "InternalError";
/// The code of parameters that are missing.
const MISSING: &str = "MissingParameter";
/// The scope of rows that hold for every action.
const COMMON: &str = "*";

/// `action <tab> code <tab> status <tab> message`, from the vendor's tables, the newest source of each.
const DOCUMENTED: &str = include_str!("../contract/errors.tsv");
/// Rows that the per-action tables lack: common ones and our own, each with the decision behind it.
const ADDITIONS: &str = include_str!("../contract/additions.toml");

#[derive(Clone, Copy)]
struct Row {
    status: u16,
    message: &'static str,
}

struct Table {
    rows: HashMap<(&'static str, &'static str), Vec<Row>>,
}

#[derive(Deserialize)]
struct Additions {
    fault: Vec<Addition>,
}

#[derive(Deserialize)]
struct Addition {
    #[serde(default)]
    action: Option<String>,
    code: String,
    status: u16,
    message: String,
}

impl Table {
    fn read() -> Self {
        let mut rows: HashMap<_, Vec<Row>> = HashMap::with_capacity(2_048);
        for line in DOCUMENTED.lines() {
            let mut fields = line.splitn(4, '\t');
            let mut field = || fields.next().expect("four fields a row, checked by a test");
            let (action, code, status) = (field(), field(), field());
            let status = status.parse().expect("a number, checked by a test");
            rows.entry((action, code)).or_default().push(Row { status, message: field() });
        }
        let additions: Additions = toml::from_str(ADDITIONS).expect("embedded and checked by a test");
        for Addition { action, code, status, message } in additions.fault {
            let scope = action.map_or(COMMON, |name| name.leak());
            rows.entry((scope, code.leak())).or_default().push(Row { status, message: message.leak() });
        }
        Self { rows }
    }

    fn find(&self, action: &str, code: &str, variant: usize) -> Option<Row> {
        [action, COMMON].into_iter().find_map(|scope| {
            let rows = self.rows.get(&(scope, code))?;
            // Some pages list it as the client's fault as well; ours is never that, and clients must see it is none.
            if code == INTERNAL {
                return rows.iter().find(|row| row.status >= 500).copied();
            }
            rows.get(variant).or_else(|| rows.first()).copied()
        })
    }
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(Table::read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actions_own_row_wins_over_the_common_one() {
        let missing = Fault::missing("SnapshotId");
        assert_eq!(
            missing.resolve("DeleteSnapshot").message,
            "The input parameter SnapshotId that is mandatory for processing this request is not supplied."
        );
        assert_eq!(
            missing.resolve("ModifySnapshotAttribute"),
            Resolved {
                status: 400,
                message: "The input parameter \"SnapshotId\" that is mandatory for processing this request is not \
                          supplied."
                    .to_owned()
            }
        );
    }

    #[test]
    fn a_row_that_names_another_parameter_gives_way_to_the_common_one() {
        let message = Fault::missing("ImageId").resolve("ModifyImageAttribute").message;
        assert_eq!(
            message,
            "The input parameter \"ImageId\" that is mandatory for processing this request is not supplied."
        );
        let message = Fault::missing("Size").resolve("CreateDisk").message;
        assert_eq!(message, "The input parameter either \"SnapshotId\" or \"Size\" should be specified.");
    }

    #[test]
    fn a_variant_names_one_of_several_meanings() {
        let denied = |variant| fault("OperationDenied").variant(variant).resolve("CreateImage");
        assert_eq!((denied(0).status, denied(1).status), (400, 403));
    }

    #[test]
    fn a_failure_of_the_daemon_is_500_whatever_the_page_of_the_action_says() {
        for (action, code) in table().rows.keys().filter(|(_, code)| *code == INTERNAL) {
            assert_eq!(fault(*code).resolve(action).status, 500, "{action}");
        }
    }

    #[test]
    fn every_row_has_a_plausible_status() {
        for ((action, code), rows) in &table().rows {
            assert!(!rows.is_empty() && rows.iter().all(|row| (400..=503).contains(&row.status)), "{action} {code}");
        }
    }
}
