import com.aliyun.ecs20140526.models.*;
import com.aliyun.teaopenapi.models.Config;
import com.google.gson.Gson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/** The life of snapshots as the new SDK sees it: one flow after the other, a line for each. */
public final class Flows {
    private interface Flow {
        void run(Ecs ecs) throws Exception;
    }

    /** How the moment of a creation is written. */
    private static final String INSTANT = "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ";

    /** What an encoding may spoil. */
    private static final String AWKWARD = "a & b=c <d> ~*+ %20 \"e\" 'f' 快照 😀";

    /** A line of refusals.json. */
    private static final class Refusal {
        String action;
        Map<String, String> parameters;
        String code;
        int status;
        String message;
    }

    public static void main(String[] arguments) throws Exception {
        boolean failed = false;
        Map<String, Flow> flows = new java.util.LinkedHashMap<>();
        flows.put("lifecycle", Flows::lifecycle);
        flows.put("groups", Flows::groups);
        flows.put("policies", Flows::policies);
        flows.put("locks", Flows::locks);
        flows.put("tags", Flows::tags);
        flows.put("paging", Flows::paging);
        flows.put("errors", Flows::errors);
        flows.put("sts", Flows::sts);
        flows.put("places", Flows::places);
        flows.put("https", Flows::https);
        for (Map.Entry<String, Flow> flow : flows.entrySet()) {
            try {
                flow.getValue().run(new Ecs(Ecs.config()));
                System.out.println("ok " + flow.getKey());
            } catch (Exception | AssertionError failure) {
                System.out.println("FAILED " + flow.getKey());
                failure.printStackTrace(System.out);
                failed = true;
            }
        }
        System.exit(failed ? 1 : 0);
    }

    private static void lifecycle(Ecs ecs) throws Exception {
        String instance = ecs.run(1, 0);
        var system = ecs.disksOf(instance).get(0);
        String disk = ecs.newDisk(new CreateDiskRequest().setZoneId(system.zoneId).setSize(40));
        ecs.attach(instance, disk);

        String ofSystem = ecs.takeSnapshot(new CreateSnapshotRequest().setDiskId(system.diskId));
        String snapshot = ecs.takeSnapshot(
                new CreateSnapshotRequest().setDiskId(disk).setSnapshotName("nightly").setRetentionDays(7));
        Ecs.same(ecs.snapshot(snapshot).status, "progressing");
        ecs.accomplished(ofSystem);
        var seen = ecs.accomplished(snapshot);
        Ecs.same(
                List.of(seen.progress, seen.snapshotName, seen.retentionDays, seen.sourceDiskId, seen.usage),
                List.of("100%", "nightly", 7, disk, "none"));
        Ecs.same(seen.sourceDiskSize, "40");
        Ecs.check(seen.creationTime.matches(INSTANT), seen.creationTime);

        String image = ecs.client.createImage(new CreateImageRequest()
                .setRegionId(Ecs.REGION)
                .setImageName("with-data")
                .setDiskDeviceMapping(List.of(
                        new CreateImageRequest.CreateImageRequestDiskDeviceMapping()
                                .setSnapshotId(ofSystem)
                                .setDiskType("system"),
                        new CreateImageRequest.CreateImageRequestDiskDeviceMapping()
                                .setSnapshotId(snapshot)
                                .setDiskType("data")))).body.imageId;
        DescribeImagesRequest images = new DescribeImagesRequest().setRegionId(Ecs.REGION).setImageId(image);
        Ecs.until(() -> ecs.client.describeImages(images).body.images.image.size() == 1);
        Ecs.refused("SnapshotCreatedImage", 403, () -> ecs.deleteSnapshot(snapshot, false));
        Ecs.refused("SnapshotCreatedImage", 403, () -> ecs.deleteSnapshot(snapshot, true));
        ecs.client.deleteImage(new DeleteImageRequest().setRegionId(Ecs.REGION).setImageId(image));

        String copy = ecs.newDisk(new CreateDiskRequest().setZoneId(system.zoneId).setSnapshotId(snapshot));
        Ecs.refused("SnapshotCreatedDisk", 403, () -> ecs.deleteSnapshot(snapshot, false));
        ecs.deleteSnapshot(snapshot, true);
        Ecs.same(ecs.snapshot(snapshot), null);

        ecs.attach(instance, copy);
        ecs.client.stopInstance(new StopInstanceRequest().setInstanceId(instance));
        ecs.instanceIs(instance, "Stopped");
        ReInitDiskRequest again = new ReInitDiskRequest().setDiskId(copy);
        Ecs.refused("InvalidSourceSnapshot", 403, () -> ecs.client.reInitDisk(again));

        for (String each : List.of(disk, copy)) {
            ecs.client.detachDisk(new DetachDiskRequest().setInstanceId(instance).setDiskId(each));
            ecs.diskIs(each, "Available");
            ecs.client.deleteDisk(new DeleteDiskRequest().setDiskId(each));
            Ecs.same(ecs.disk(each), null);
        }
        ecs.deleteSnapshot(ofSystem, false);
        ecs.client.deleteInstance(new DeleteInstanceRequest().setInstanceId(instance));
        Ecs.until(() -> ecs.disk(system.diskId) == null);
        ecs.deleteSnapshot(snapshot, false);
    }

    private static void groups(Ecs ecs) throws Exception {
        String instance = ecs.run(1, 1);
        String id = ecs.client.createSnapshotGroup(new CreateSnapshotGroupRequest()
                .setRegionId(Ecs.REGION)
                .setInstanceId(instance)
                .setName("all-disks")).body.snapshotGroupId;
        DescribeSnapshotGroupsRequest asking =
                new DescribeSnapshotGroupsRequest().setRegionId(Ecs.REGION).setSnapshotGroupId(List.of(id));
        Ecs.until(() -> ecs.client.describeSnapshotGroups(asking).body.snapshotGroups.snapshotGroup.get(0).status
                .equals("accomplished"));
        var found = ecs.client.describeSnapshotGroups(asking).body.snapshotGroups.snapshotGroup.get(0);
        Ecs.same(found.name, "all-disks");
        List<String> members = found.snapshots.snapshot.stream().map(each -> each.sourceDiskId).sorted().toList();
        Ecs.same(members, ecs.disksOf(instance).stream().map(each -> each.diskId).sorted().toList());
        ecs.client.modifySnapshotGroup(new ModifySnapshotGroupRequest()
                .setRegionId(Ecs.REGION)
                .setSnapshotGroupId(id)
                .setName("renamed"));
        Ecs.same(ecs.client.describeSnapshotGroups(asking).body.snapshotGroups.snapshotGroup.get(0).name, "renamed");
        var gone = ecs.client.deleteSnapshotGroup(
                new DeleteSnapshotGroupRequest().setRegionId(Ecs.REGION).setSnapshotGroupId(id));
        Ecs.same(gone.body.operationProgressSet.operationProgress.size(), members.size());
        Ecs.same(ecs.client.describeSnapshotGroups(asking).body.snapshotGroups.snapshotGroup, List.of());
    }

    private static void policies(Ecs ecs) throws Exception {
        String disk = ecs.disksOf(ecs.run(1, 0)).get(0).diskId;
        String id = ecs.client.createAutoSnapshotPolicy(new CreateAutoSnapshotPolicyRequest()
                .setRegionId(Ecs.REGION)
                .setAutoSnapshotPolicyName("nightly")
                .setTimePoints(Ecs.json("1"))
                .setRepeatWeekdays(Ecs.json("1", "7"))
                .setRetentionDays(30)).body.autoSnapshotPolicyId;
        DescribeAutoSnapshotPolicyExRequest asking =
                new DescribeAutoSnapshotPolicyExRequest().setRegionId(Ecs.REGION).setAutoSnapshotPolicyId(id);
        var made = ecs.client.describeAutoSnapshotPolicyEx(asking).body.autoSnapshotPolicies.autoSnapshotPolicy.get(0);
        Ecs.same(
                List.of(made.timePoints, made.repeatWeekdays, made.retentionDays),
                List.of(Ecs.json("1"), Ecs.json("1", "7"), 30));
        ecs.client.applyAutoSnapshotPolicy(new ApplyAutoSnapshotPolicyRequest()
                .setRegionId(Ecs.REGION)
                .setAutoSnapshotPolicyId(id)
                .setDiskIds(Ecs.json(disk)));
        Ecs.same(ecs.disk(disk).autoSnapshotPolicyId, id);
        ecs.client.modifyAutoSnapshotPolicyEx(new ModifyAutoSnapshotPolicyExRequest()
                .setRegionId(Ecs.REGION)
                .setAutoSnapshotPolicyId(id)
                .setRetentionDays(-1));
        var changed = ecs.client.describeAutoSnapshotPolicyEx(asking).body.autoSnapshotPolicies.autoSnapshotPolicy;
        Ecs.same(List.of(changed.get(0).retentionDays, changed.get(0).diskNums), List.of(-1, 1));
        ecs.client.cancelAutoSnapshotPolicy(
                new CancelAutoSnapshotPolicyRequest().setRegionId(Ecs.REGION).setDiskIds(Ecs.json(disk)));
        ecs.client.deleteAutoSnapshotPolicy(
                new DeleteAutoSnapshotPolicyRequest().setRegionId(Ecs.REGION).setAutoSnapshotPolicyId(id));
        Ecs.same(
                ecs.client.describeAutoSnapshotPolicyEx(asking).body.autoSnapshotPolicies.autoSnapshotPolicy, List.of());
    }

    /** This version of the SDK has no classes for locks; callApi calls anything. */
    private static void locks(Ecs ecs) throws Exception {
        String disk = ecs.disksOf(ecs.run(1, 0)).get(0).diskId;
        String snapshot = ecs.takeSnapshot(new CreateSnapshotRequest().setDiskId(disk));
        ecs.accomplished(snapshot);
        ecs.byName("LockSnapshot", Map.of(
                "SnapshotId", snapshot, "LockMode", "compliance", "LockDuration", "1", "CoolOffPeriod", "1"));
        Map<?, ?> locked = ecs.byName("DescribeLockedSnapshots", Map.of("SnapshotIds.1", snapshot));
        Map<?, ?> first = (Map<?, ?>) ((List<?>) locked.get("LockedSnapshotsInfo")).get(0);
        Ecs.same(first.get("LockStatus"), "compliance-cooloff");
        Ecs.refused("InvalidOperation.SnapshotLocked", 403, () -> ecs.deleteSnapshot(snapshot, true));
        ecs.byName("UnlockSnapshot", Map.of("SnapshotId", snapshot));
        ecs.deleteSnapshot(snapshot, false);
    }

    private static void tags(Ecs ecs) throws Exception {
        String disk = ecs.disksOf(ecs.run(1, 0)).get(0).diskId;
        String snapshot = ecs.takeSnapshot(new CreateSnapshotRequest()
                .setDiskId(disk)
                .setTag(List.of(
                        new CreateSnapshotRequest.CreateSnapshotRequestTag().setKey("made").setValue("here"))));
        String value = "of " + snapshot;
        ecs.client.tagResources(new TagResourcesRequest()
                .setRegionId(Ecs.REGION)
                .setResourceType("snapshot")
                .setResourceId(List.of(snapshot))
                .setTag(List.of(
                        new TagResourcesRequest.TagResourcesRequestTag().setKey("team").setValue(value),
                        new TagResourcesRequest.TagResourcesRequestTag().setKey("empty").setValue(""))));
        var listed = ecs.client.listTagResources(new ListTagResourcesRequest()
                .setRegionId(Ecs.REGION)
                .setResourceType("snapshot")
                .setResourceId(List.of(snapshot))).body.tagResources.tagResource;
        Ecs.same(listed.stream().map(each -> each.tagKey).sorted().toList(), List.of("empty", "made", "team"));
        var found = ecs.snapshots(new DescribeSnapshotsRequest().setTag(List.of(
                new DescribeSnapshotsRequest.DescribeSnapshotsRequestTag().setKey("team").setValue(value))));
        Ecs.same(found.get(0).snapshotId, snapshot);
        ecs.client.untagResources(new UntagResourcesRequest()
                .setRegionId(Ecs.REGION)
                .setResourceType("snapshot")
                .setResourceId(List.of(snapshot))
                .setTagKey(List.of("team", "made")));
        var left = ecs.snapshot(snapshot).tags.tag;
        Ecs.same(List.of(left.size(), left.get(0).tagKey, left.get(0).tagValue), List.of(1, "empty", ""));
    }

    private static void paging(Ecs ecs) throws Exception {
        ecs.run(100, 15);
        ecs.run(100, 15);
        List<String> byNumber = new ArrayList<>();
        for (int number = 1, total = 1; byNumber.size() < total; number++) {
            DescribeDisksRequest request =
                    new DescribeDisksRequest().setRegionId(Ecs.REGION).setPageNumber(number).setPageSize(100);
            DescribeDisksResponseBody page = ecs.client.describeDisks(request).body;
            page.disks.disk.forEach(each -> byNumber.add(each.diskId));
            total = page.totalCount;
        }
        List<String> byToken = new ArrayList<>();
        String token = null;
        do {
            DescribeDisksRequest request =
                    new DescribeDisksRequest().setRegionId(Ecs.REGION).setMaxResults(500).setNextToken(token);
            DescribeDisksResponseBody page = ecs.client.describeDisks(request).body;
            page.disks.disk.forEach(each -> byToken.add(each.diskId));
            token = page.nextToken;
        } while (token != null && !token.isEmpty());
        Ecs.check(byNumber.size() >= 3200, byNumber.size() + " rows");
        Ecs.same(new HashSet<>(byNumber).size(), byNumber.size());
        Ecs.same(byToken, byNumber);
    }

    private static void errors(Ecs ecs) throws Exception {
        String text = Files.readString(Path.of("../support/refusals.json"));
        for (Refusal each : new Gson().fromJson(text, Refusal[].class)) {
            String told = Ecs.refused(each.code, each.status, () -> ecs.byName(each.action, each.parameters));
            Ecs.check(told.contains(each.message), told);
        }
        Ecs unknown = new Ecs(Ecs.config().setAccessKeyId("nobody"));
        Ecs.refused("InvalidAccessKeyId.NotFound", 404, () -> unknown.byName("DescribeSnapshots", Map.of()));
        Ecs wrong = new Ecs(Ecs.config().setAccessKeySecret("wrong"));
        Ecs.refused("SignatureDoesNotMatch", 400, () -> wrong.byName("DescribeSnapshots", Map.of()));
    }

    private static void sts(Ecs ecs) throws Exception {
        Config temporary = Ecs.config().setAccessKeyId("STS.testid").setAccessKeySecret("stssecret");
        new Ecs(temporary.setSecurityToken("ststoken")).byName("DescribeSnapshots", Map.of());
        Ecs another = new Ecs(temporary.setSecurityToken("another"));
        Ecs.refused(
                "InvalidSecurityToken.MismatchWithAccessKey", 400, () -> another.byName("DescribeSnapshots", Map.of()));
    }

    /** Where parameters may be; what this SDK calls v2 is the signature of the old ones. */
    private static void places(Ecs ecs) throws Exception {
        String disk = ecs.disksOf(ecs.run(1, 0)).get(0).diskId;
        for (boolean isTemporary : List.of(false, true)) {
            for (String[] how : new String[][] {
                {"", "POST", "query"}, {"", "GET", "query"}, {"", "POST", "formData"}, {"", "POST", "json"},
                {"v2", "POST", "query"}, {"v2", "GET", "query"}, {"v2", "POST", "formData"},
            }) {
                Config config = Ecs.config();
                if (!how[0].isEmpty()) {
                    config.setSignatureAlgorithm(how[0]);
                }
                if (isTemporary) {
                    config.setAccessKeyId("STS.testid").setAccessKeySecret("stssecret").setSecurityToken("ststoken");
                }
                Ecs client = new Ecs(config);
                String value = isTemporary + " " + String.join(" ", how) + " " + AWKWARD;
                List<Map<String, String>> tags = List.of(Map.of("Key", "place", "Value", value));
                Map<String, Object> what = Map.of("ResourceType", "disk", "ResourceId", List.of(disk), "Tag", tags);
                client.inPlace(how[1], how[2], "TagResources", what);
                Map<?, ?> answer = client.inPlace(how[1], how[2], "DescribeDisks", Map.of("Tag", tags));
                List<?> disks = (List<?>) ((Map<?, ?>) answer.get("Disks")).get("Disk");
                Map<?, ?> found = (Map<?, ?>) disks.get(0);
                Ecs.same(List.of(disks.size(), found.get("DiskId")), List.of(1, disk));
                List<?> kept = (List<?>) ((Map<?, ?>) found.get("Tags")).get("Tag");
                Ecs.same(kept, List.of(Map.of("TagKey", "place", "TagValue", value)));
            }
        }
    }

    private static void https(Ecs ecs) throws Exception {
        String endpoint = System.getenv("SNAPSHOTD_TEST_TLS_ENDPOINT");
        Config secure = Ecs.config().setEndpoint(endpoint).setProtocol("HTTPS");
        DescribeSnapshotsRequest request = new DescribeSnapshotsRequest().setRegionId(Ecs.REGION);
        try {
            // Another name of the same daemon: the SDK keeps the connection and the trust that it has for a host.
            Config untrusting = Ecs.config().setEndpoint(endpoint.replace("127.0.0.1", "localhost")).setProtocol("HTTPS");
            new Ecs(untrusting).client.describeSnapshots(request);
            throw new AssertionError("an unknown CA was accepted");
        } catch (Exception refused) {
            Ecs.check(refused.toString().contains("certif"), refused.toString());
        }
        String ca = Files.readString(Path.of(System.getenv("SNAPSHOTD_TEST_CA")));
        new Ecs(secure.setCa(ca)).client.describeSnapshots(request);
    }
}
