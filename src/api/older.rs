//! What actions answered before: their tables still have the codes. `[fidelity] older_codes` lets them answer so again; by
//! default nothing here is ever asked.

use crate::api::common::{check_given, check_one_of, is_description, is_tag_text};
use crate::faults::{Fault, fault};
use crate::store::instances;
use crate::store::tx::Tx;
use crate::wire::params::Params;

/// Action, the code that it answers today, and the one of the same condition that its table has from before.
const CODES: &[(&str, &str, &str)] = &[
    ("AddTags", "QuotaExceed.Tags", "OperationDenied.QuotaExceed"),
    ("AttachDisk", "DiskCategory.OperationNotSupported", "DiskId.ValueNotSupported"),
    ("AttachDisk", "IncorrectDiskStatus", "DiskError"),
    ("AttachDisk", "InvalidDisk.InUse", "DiskId.StatusNotSupported"),
    ("CopyImage", "InvalidEncrypted.NotMatchKmsKeyId", "InvalidParameter.EncryptedIllegal"),
    ("CopyImage", "InvalidParameter.KMSKeyId.KMSUnauthorized", "OperationDenied.KmsServiceUnauthorized"),
    ("CopyImage", "OperationDenied.SameRegionOnly", "IncorrectDestinationRegion"),
    (
        "CopySnapshot",
        "InvalidSnapshotCategory.NotSupportEncryptedCopy",
        "InvalidSnapshotCategory.NotSupportCrossRegionCopy",
    ),
    ("CopySnapshot", "OperationDenied.SnapshotCategoryNotSupportCopy", "InvalidSnapshotCategory.NotSupportCopy"),
    ("CreateDisk", "InvalidDiskSize.NotSupported", "InvalidDiskSizeOrCategory"),
    ("CreateDisk", "InvalidEncryptAlgorithm.NotMatchSnapshot", "NotSupport.SnapshotEncryptedAlgorithmConflict"),
    ("CreateDisk", "InvalidEncrypted.NotMatchKmsKeyId", "InvalidParameter.EncryptedIllegal"),
    ("CreateDisk", "InvalidEncrypted.NotMatchSnapshot", "EncryptedOption.Conflict"),
    ("CreateDisk", "InvalidParam.ZoneIdAndInstanceId.Conflict", "InvalidParameter.Conflict"),
    (
        "CreateDisk",
        "InvalidParameter.DiskCategoryAndMultiAttachConflict",
        "InvalidParameter.DiskCategoryAndMultiAttachNotMatch",
    ),
    ("CreateDisk", "InvalidSnapshotId.NotReady", "InvalidSnapshot.NotReady"),
    ("CreateImage", "IdempotenceParamNotMatch", "InvalidParamter.Conflict"),
    ("CreateImage", "IncorrectInstanceStatus.NeedRestart", "IncorrectDiskStatus.Invalid"),
    ("CreateImage", "InvalidSnapshotCategory.NotSupportImageCreation", "OperationDenied.InvalidSnapshotCategory"),
    ("CreateInstance", "ImageNotSupportInstanceType", "InvalidParameter.Conflict"),
    ("CreateInstance", "IncorrectImageStatus", "IncorrectInstanceStatus"),
    ("CreateInstance", "InstanceDiskLimitExceeded", "InstanceDiskNumLimitExceed"),
    ("CreateInstance", "InvalidDataDiskCategory.ValueNotSupported", "InvalidDiskCategory.ValueNotSupported"),
    ("CreateInstance", "InvalidEncrypted.NotMatchKmsKeyId", "InvalidParameter.EncryptedIllegal"),
    ("CreateInstance", "InvalidEncrypted.NotMatchSnapshot", "EncryptedOption.Conflict"),
    ("CreateInstance", "InvalidHostName.Malformed", "HOSTNAME_ILLEGAL"),
    ("CreateInstance", "InvalidKmsKeyId.NotMatchSnapshot", "InvalidParameter.NotMatch"),
    ("CreateInstance", "InvalidPrivateIpAddress.Duplicated", "InvalidIPAddress.AlreadyUsed"),
    ("CreateInstance", "InvalidSystemDiskSize.ValueNotSupported", "InvalidDisk.SystemDiskSize"),
    ("CreateSnapshot", "DiskCategory.OperationNotSupported", "DiskId.ValueNotSupported"),
    ("CreateSnapshot", "IncorrectDiskStatus.CreatingSnapshot", "DISK_HAS_CREATING_SNAPSHOT"),
    ("CreateSnapshotGroup", "InvalidOperation.MultiAttachDisk", "InvalidDisk.ShareVolume"),
    ("CreateSnapshotGroup", "InvalidParameter.Description", "InvalidDescription.Malformed"),
    ("CreateSnapshotGroup", "InvalidParameter.Name", "InvalidSnapshotName.Malformed"),
    ("CreateSnapshotGroup", "QuotaExceed.ConcurrentSnapshotQuota", "IncorrectDiskStatus.TooManyCreatingSnapshots"),
    ("ListTagResources", "BothEmpty.TagsAndResources", "MissingParameter.ResourceIds"),
    ("ListTagResources", "InvalidTag.Mismatch", "MissingParameter.Tags"),
    ("ListTagResources", "InvalidTagFilter.Malformed", "InvalidFilter.Malformed"),
    ("ListTagResources", "NumberExceed.Tags", "InvalidTagCount"),
    ("ModifyDiskAttribute", "MissingParameter.DiskIdOrDiskIds", "IncompleteParamter"),
    ("ReInitDisk", "InvalidSourceSnapshot", "OperationDenied"),
    ("ReplaceSystemDisk", "ImageNotSupportInstanceType", "InvalidParameter.Conflict"),
    ("ReplaceSystemDisk", "InvalidDiskId.NotFound", "NoSuchResource"),
    ("ResetDisk", "InvalidDiskId.NotFound", "Disk.NotFound"),
    ("ResetDisks", "InvalidDiskId.NotFound", "Disk.NotFound"),
    ("ResetDisks", "InvalidOperation.MultiAttachDisk", "InvalidDisk.ShareVolume"),
    ("ResetDisks", "InvalidSnapshotId.NotFound", "InvalidSnapshot.NotFound"),
    ("ResizeDisk", "IncorrectDiskStatus", "DiskError"),
    ("ResizeDisk", "InvalidDiskCategory.NotSupported", "InvalidDataDiskCategory.ValueNotSupported"),
    ("ResizeDisk", "InvalidOperation.MultiAttachDiskNotSupportResizeOnline", "InvalidParameter.Conflict"),
    ("RunInstances", "IdempotentProcessing", "OperationDenied.CreatingConflict"),
    ("RunInstances", "ImageNotSupportInstanceType", "InvalidParameter.Conflict"),
    ("RunInstances", "IncorrectImageStatus", "IncorrectInstanceStatus"),
    ("RunInstances", "InstanceDiskCategoryLimitExceed", "OperationDenied.SnapshotParamsNotValid"),
    ("RunInstances", "InstanceDiskLimitExceeded", "InstanceDiskNumLimitExceed"),
    ("RunInstances", "InvalidDataDiskCategory.ValueNotSupported", "InvalidDiskCategory.ValueNotSupported"),
    ("RunInstances", "InvalidDataDiskSnapshotId.NotFound", "InvalidSnapshotId.NotFound"),
    ("RunInstances", "InvalidEncryptAlgorithm.NotMatchSnapshot", "NotSupport.SnapshotEncryptedAlgorithmConflict"),
    ("RunInstances", "InvalidEncrypted.NotMatchKmsKeyId", "InvalidParameter.EncryptedIllegal"),
    ("RunInstances", "InvalidHostName.Malformed", "HOSTNAME_ILLEGAL"),
    ("RunInstances", "InvalidKmsKeyId.NotMatchSnapshot", "InvalidParameter.NotMatch"),
    ("RunInstances", "InvalidParam.Amount", "InvalidMaxAmount.Malformed"),
    ("RunInstances", "InvalidSystemDiskSize.ValueNotSupported", "InvalidDisk.SystemDiskSize"),
    ("RunInstances", "InvalidTagCount", "NumberExceed.Tags"),
    ("RunInstances", "OperationDenied.SnapshotNotAllowed", "OperationDenied.SnapshotNotValid"),
    ("RunInstances", "QuotaExceed.Tags", "OperationDenied.QuotaExceed"),
    ("TagResources", "NumberExceed.Tags", "InvalidTagCount"),
    ("TagResources", "QuotaExceed.Tags", "OperationDenied.QuotaExceed"),
    ("UntagResources", "NumberExceed.Tags", "InvalidTagCount"),
];

/// Actions that name a disk and whose table has a code for the instance that it is on, or for one to be made like.
const ON_INSTANCE: &[(&str, &str)] = &[
    ("CreateInstance", "Invalid.InstanceId"),
    ("CreateSnapshot", "InvalidInstanceId.NotFound"),
    ("ModifyDiskAttribute", "InvalidInstanceId.NotFound"),
    ("ModifyDiskSpec", "InvalidInstanceId.NotFound"),
    ("ResetDisk", "InvalidInstanceId.NotFound"),
    ("ResetDisks", "InvalidInstanceId.NotFound"),
    ("ResizeDisk", "InvalidInstanceId.NotFound"),
    ("RunInstances", "Invalid.InstanceId"),
];

/// The same refusal under the code that `action` had for it before.
#[must_use]
pub fn spelled(action: &str, refusal: Fault) -> Fault {
    let is_it = |(of, newer, _): &&(&str, &str, &str)| *of == action && *newer == refusal.code();
    match CODES.iter().find(is_it) {
        Some((_, _, older)) => fault(*older).with(refusal.resolve(action).message),
        None => refusal,
    }
}

/// Refuses values of parameters that actions no longer have, but whose codes their tables still have; good values change
/// nothing.
///
/// # Errors
/// The code of the table.
pub fn check_withdrawn(action: &str, params: &Params) -> Result<(), Fault> {
    match action {
        "CancelCopyImage" => check_given(params.get("Description"), is_description, "InvalidDescription.Malformed"),
        "CreateSnapshotGroup" => {
            let category = params.get("Category");
            check_one_of(category, &["standard", "flash"], "InvalidSnapshotCategory.Malformed")?;
            let is_instant = params.get("InstantAccess").is_some_and(|flag| flag.eq_ignore_ascii_case("true"));
            let is_both = category.is_some() && is_instant;
            if is_both { Err(fault("InvalidCategoryAndInstantAccess.Malformed")) } else { Ok(()) }
        }
        "ModifyImageSharePermission" => ["AddGroup.1", "RemoveGroup.1"]
            .into_iter()
            .try_for_each(|name| check_one_of(params.get(name), &["all"], "InvalidGroup.Malformed")),
        "UntagResources" => {
            let value = params.get("Tag.1.Value");
            check_given(value, is_tag_text, "InvalidTagValue.Malformed")?;
            let is_alone = value.is_some() && params.get("Tag.1.Key").is_none();
            if is_alone { Err(fault("InvalidTag.Mismatch")) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

/// The instance that a call names beside its disk, and the action's code for one that is not there.
#[must_use]
pub fn named_instance(action: &str, params: &Params) -> Option<(String, &'static str)> {
    let (_, code) = ON_INSTANCE.iter().find(|(of, _)| *of == action)?;
    params.get("InstanceId").map(|id| (id.to_owned(), *code))
}

/// # Errors
/// The code given with the instance, where the account has no such one.
pub async fn check_instance(tx: &mut Tx<'_>, named: Option<&(String, &'static str)>) -> Result<(), Fault> {
    match named {
        Some((id, code)) if instances::find(tx, id).await?.is_none() => Err(fault(*code)),
        _ => Ok(()),
    }
}

/// Refuses with `code` what was forbidden once and is allowed today.
///
/// # Errors
/// `code`.
pub fn check_lifted(tx: &Tx<'_>, was_forbidden: bool, code: &'static str) -> Result<(), Fault> {
    if was_forbidden && tx.config().fidelity.older_codes { Err(fault(code)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::{CODES, ON_INSTANCE};
    use crate::faults::is_documented;

    #[test]
    fn each_code_is_one_of_the_actions_table_and_answers_one_condition() {
        for (i, (action, newer, older)) in CODES.iter().enumerate() {
            assert!(is_documented(action, older), "{action} {older}");
            let is_same =
                |(of, known, spelling): &&(&str, &str, &str)| of == action && (known == newer || spelling == older);
            assert!(!CODES[..i].iter().any(|row| is_same(&row)), "{action} {newer} {older}");
            assert!(!CODES.iter().any(|(of, known, _)| of == action && known == older), "{action} {older}");
        }
        assert!(ON_INSTANCE.iter().all(|(action, code)| is_documented(action, code)));
    }
}
