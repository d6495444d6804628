import com.aliyuncs.ecs.model.v20140526.*;
import com.aliyuncs.http.FormatType;
import com.aliyuncs.http.MethodType;
import com.aliyuncs.http.ProtocolType;
import com.google.gson.Gson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;

/** The life of snapshots as the old SDK sees it: one flow after the other, a line for each. */
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
                flow.getValue().run(Ecs.shipped());
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
        String disk = ecs.newDisk(r -> {
            r.setZoneId(system.getZoneId());
            r.setSize(40);
        });
        ecs.attach(instance, disk);

        String ofSystem = ecs.takeSnapshot(system.getDiskId(), r -> {});
        String snapshot = ecs.takeSnapshot(disk, r -> {
            r.setSnapshotName("nightly");
            r.setRetentionDays(7);
        });
        Ecs.same(ecs.snapshot(snapshot).getStatus(), "progressing");
        ecs.accomplished(ofSystem);
        var seen = ecs.accomplished(snapshot);
        Ecs.same(
                List.of(seen.getProgress(), seen.getSnapshotName(), seen.getRetentionDays(), seen.getSourceDiskId()),
                List.of("100%", "nightly", 7, disk));
        Ecs.same(List.of(seen.getSourceDiskSize(), seen.getUsage()), List.of("40", "none"));
        Ecs.check(seen.getCreationTime().matches(INSTANT), seen.getCreationTime());

        String image = ecs.call(new CreateImageRequest(), r -> {
            r.setImageName("with-data");
            r.setDiskDeviceMappings(List.of(mapping(ofSystem, "system"), mapping(snapshot, "data")));
        }).getImageId();
        Ecs.until(() -> ecs.call(new DescribeImagesRequest(), r -> r.setImageId(image)).getImages().size() == 1);
        Ecs.refused("SnapshotCreatedImage", () -> ecs.deleteSnapshot(snapshot, false));
        Ecs.refused("SnapshotCreatedImage", () -> ecs.deleteSnapshot(snapshot, true));
        ecs.call(new DeleteImageRequest(), r -> r.setImageId(image));

        String copy = ecs.newDisk(r -> {
            r.setZoneId(system.getZoneId());
            r.setSnapshotId(snapshot);
        });
        Ecs.refused("SnapshotCreatedDisk", () -> ecs.deleteSnapshot(snapshot, false));
        ecs.deleteSnapshot(snapshot, true);
        Ecs.same(ecs.snapshot(snapshot), null);

        ecs.attach(instance, copy);
        ecs.call(new StopInstanceRequest(), r -> r.setInstanceId(instance));
        ecs.instanceIs(instance, "Stopped");
        Ecs.refused("InvalidSourceSnapshot", () -> ecs.call(new ReInitDiskRequest(), r -> r.setDiskId(copy)));

        for (String each : List.of(disk, copy)) {
            ecs.call(new DetachDiskRequest(), r -> {
                r.setInstanceId(instance);
                r.setDiskId(each);
            });
            ecs.diskIs(each, "Available");
            ecs.call(new DeleteDiskRequest(), r -> r.setDiskId(each));
            Ecs.same(ecs.disk(each), null);
        }
        ecs.deleteSnapshot(ofSystem, false);
        ecs.call(new DeleteInstanceRequest(), r -> r.setInstanceId(instance));
        Ecs.until(() -> ecs.disk(system.getDiskId()) == null);
        ecs.deleteSnapshot(snapshot, false);
    }

    private static CreateImageRequest.DiskDeviceMapping mapping(String snapshot, String type) {
        var mapping = new CreateImageRequest.DiskDeviceMapping();
        mapping.setSnapshotId(snapshot);
        mapping.setDiskType(type);
        return mapping;
    }

    private static void groups(Ecs ecs) throws Exception {
        String instance = ecs.run(1, 1);
        String id = ecs.call(new CreateSnapshotGroupRequest(), r -> {
            r.setInstanceId(instance);
            r.setName("all-disks");
        }).getSnapshotGroupId();
        Ecs.until(() -> groupsOf(ecs, id).get(0).getStatus().equals("accomplished"));
        var found = groupsOf(ecs, id).get(0);
        Ecs.same(found.getName(), "all-disks");
        List<String> members = found.getSnapshots().stream().map(each -> each.getSourceDiskId()).sorted().toList();
        Ecs.same(members, ecs.disksOf(instance).stream().map(each -> each.getDiskId()).sorted().toList());
        ecs.call(new ModifySnapshotGroupRequest(), r -> {
            r.setSnapshotGroupId(id);
            r.setName("renamed");
        });
        Ecs.same(groupsOf(ecs, id).get(0).getName(), "renamed");
        var gone = ecs.call(new DeleteSnapshotGroupRequest(), r -> r.setSnapshotGroupId(id));
        Ecs.same(gone.getOperationProgressSet().size(), members.size());
        Ecs.same(groupsOf(ecs, id), List.of());
    }

    private static List<DescribeSnapshotGroupsResponse.SnapshotGroup> groupsOf(Ecs ecs, String id) throws Exception {
        return ecs.call(new DescribeSnapshotGroupsRequest(), r -> r.setSnapshotGroupIds(List.of(id))).getSnapshotGroups();
    }

    private static void policies(Ecs ecs) throws Exception {
        String disk = ecs.disksOf(ecs.run(1, 0)).get(0).getDiskId();
        String id = ecs.call(new CreateAutoSnapshotPolicyRequest(), r -> {
            r.setAutoSnapshotPolicyName("nightly");
            r.setTimePoints(Ecs.json("1"));
            r.setRepeatWeekdays(Ecs.json("1", "7"));
            r.setRetentionDays(30);
        }).getAutoSnapshotPolicyId();
        var made = policiesOf(ecs, id).get(0);
        Ecs.same(
                List.of(made.getTimePoints(), made.getRepeatWeekdays(), made.getRetentionDays()),
                List.of(Ecs.json("1"), Ecs.json("1", "7"), 30));
        ecs.call(new ApplyAutoSnapshotPolicyRequest(), r -> {
            r.setAutoSnapshotPolicyId(id);
            r.setDiskIds(Ecs.json(disk));
        });
        Ecs.same(ecs.disk(disk).getAutoSnapshotPolicyId(), id);
        ecs.call(new ModifyAutoSnapshotPolicyExRequest(), r -> {
            r.setAutoSnapshotPolicyId(id);
            r.setRetentionDays(-1);
        });
        var changed = policiesOf(ecs, id).get(0);
        Ecs.same(List.of(changed.getRetentionDays(), changed.getDiskNums()), List.of(-1, 1));
        ecs.call(new CancelAutoSnapshotPolicyRequest(), r -> r.setDiskIds(Ecs.json(disk)));
        ecs.call(new DeleteAutoSnapshotPolicyRequest(), r -> r.setAutoSnapshotPolicyId(id));
        Ecs.same(policiesOf(ecs, id), List.of());
    }

    private static List<DescribeAutoSnapshotPolicyExResponse.AutoSnapshotPolicy> policiesOf(Ecs ecs, String id)
            throws Exception {
        return ecs.call(new DescribeAutoSnapshotPolicyExRequest(), r -> r.setAutoSnapshotPolicyId(id))
                .getAutoSnapshotPolicies();
    }

    /** The SDK has no classes for locks; CommonRequest calls anything. */
    private static void locks(Ecs ecs) throws Exception {
        String snapshot = ecs.takeSnapshot(ecs.disksOf(ecs.run(1, 0)).get(0).getDiskId(), r -> {});
        ecs.accomplished(snapshot);
        ecs.byName("LockSnapshot", Map.of(
                "SnapshotId", snapshot, "LockMode", "compliance", "LockDuration", "1", "CoolOffPeriod", "1"));
        Map<?, ?> locked = ecs.byName("DescribeLockedSnapshots", Map.of("SnapshotIds.1", snapshot));
        Map<?, ?> first = (Map<?, ?>) ((List<?>) locked.get("LockedSnapshotsInfo")).get(0);
        Ecs.same(first.get("LockStatus"), "compliance-cooloff");
        Ecs.refused("InvalidOperation.SnapshotLocked", () -> ecs.deleteSnapshot(snapshot, true));
        ecs.byName("UnlockSnapshot", Map.of("SnapshotId", snapshot));
        ecs.deleteSnapshot(snapshot, false);
    }

    private static void tags(Ecs ecs) throws Exception {
        String disk = ecs.disksOf(ecs.run(1, 0)).get(0).getDiskId();
        String snapshot = ecs.takeSnapshot(disk, r -> {
            var made = new CreateSnapshotRequest.Tag();
            made.setKey("made");
            made.setValue("here");
            r.setTags(List.of(made));
        });
        String value = "of " + snapshot;
        var team = new TagResourcesRequest.Tag();
        team.setKey("team");
        team.setValue(value);
        var empty = new TagResourcesRequest.Tag();
        empty.setKey("empty");
        empty.setValue("");
        ecs.call(new TagResourcesRequest(), r -> {
            r.setResourceType("snapshot");
            r.setResourceIds(List.of(snapshot));
            r.setTags(List.of(team, empty));
        });
        var listed = ecs.call(new ListTagResourcesRequest(), r -> {
            r.setResourceType("snapshot");
            r.setResourceIds(List.of(snapshot));
        }).getTagResources();
        Ecs.same(listed.stream().map(each -> each.getTagKey()).sorted().toList(), List.of("empty", "made", "team"));
        var found = ecs.call(new DescribeSnapshotsRequest(), r -> {
            var filter = new DescribeSnapshotsRequest.Tag();
            filter.setKey("team");
            filter.setValue(value);
            r.setTags(List.of(filter));
        }).getSnapshots();
        Ecs.same(found.get(0).getSnapshotId(), snapshot);
        ecs.call(new UntagResourcesRequest(), r -> {
            r.setResourceType("snapshot");
            r.setResourceIds(List.of(snapshot));
            r.setTagKeys(List.of("team", "made"));
        });
        var left = ecs.snapshot(snapshot).getTags();
        Ecs.same(List.of(left.size(), left.get(0).getTagKey(), left.get(0).getTagValue()), List.of(1, "empty", ""));
    }

    private static void paging(Ecs ecs) throws Exception {
        ecs.run(100, 15);
        ecs.run(100, 15);
        List<String> byNumber = new ArrayList<>();
        for (int[] at = {1, 1}; byNumber.size() < at[1]; at[0]++) {
            var page = ecs.call(new DescribeDisksRequest(), r -> {
                r.setPageNumber(at[0]);
                r.setPageSize(100);
            });
            page.getDisks().forEach(each -> byNumber.add(each.getDiskId()));
            at[1] = page.getTotalCount();
        }
        List<String> byToken = new ArrayList<>();
        String token = null;
        do {
            String from = token;
            var page = ecs.call(new DescribeDisksRequest(), r -> {
                r.setMaxResults(500);
                r.setNextToken(from);
            });
            page.getDisks().forEach(each -> byToken.add(each.getDiskId()));
            token = page.getNextToken();
        } while (token != null && !token.isEmpty());
        Ecs.check(byNumber.size() >= 3200, byNumber.size() + " rows");
        Ecs.same(new HashSet<>(byNumber).size(), byNumber.size());
        Ecs.same(byToken, byNumber);
    }

    private static void errors(Ecs ecs) throws Exception {
        String text = Files.readString(Path.of("../support/refusals.json"));
        for (Refusal each : new Gson().fromJson(text, Refusal[].class)) {
            Ecs.same(Ecs.refused(each.code, () -> ecs.byName(each.action, each.parameters)), each.message);
        }
        Ecs unknown = new Ecs(Ecs.profile("nobody", "x"));
        Ecs.refused("InvalidAccessKeyId.NotFound", () -> unknown.byName("DescribeSnapshots", Map.of()));
        Ecs wrong = new Ecs(Ecs.profile("testid", "wrong"));
        Ecs.refused("SignatureDoesNotMatch", () -> wrong.byName("DescribeSnapshots", Map.of()));
    }

    private static void sts(Ecs ecs) throws Exception {
        new Ecs(Ecs.profile("STS.testid", "stssecret", "ststoken"))
                .byName("DescribeSnapshots", Map.of());
        Ecs another = new Ecs(Ecs.profile("STS.testid", "stssecret", "another"));
        Ecs.refused(
                "InvalidSecurityToken.MismatchWithAccessKey", () -> another.byName("DescribeSnapshots", Map.of()));
    }

    /** A request class puts all into the query, whatever the method; a CommonRequest has a form as well. */
    private static void places(Ecs ecs) throws Exception {
        String disk = ecs.disksOf(ecs.run(1, 0)).get(0).getDiskId();
        Ecs temporary = new Ecs(Ecs.profile("STS.testid", "stssecret", "ststoken"));
        for (Ecs client : List.of(ecs, temporary)) {
            for (MethodType method : List.of(MethodType.GET, MethodType.POST)) {
                for (FormatType format : List.of(FormatType.JSON, FormatType.XML)) {
                    String value = method + " " + format + " " + (client == ecs) + " " + AWKWARD;
                    var tag = new TagResourcesRequest.Tag();
                    tag.setKey("place");
                    tag.setValue(value);
                    client.call(new TagResourcesRequest(), r -> {
                        r.setSysMethod(method);
                        r.setSysAcceptFormat(format);
                        r.setResourceType("disk");
                        r.setResourceIds(List.of(disk));
                        r.setTags(List.of(tag));
                    });
                    checkPlace(client, method, format, disk, value);
                }
            }
            String value = "form " + (client == ecs) + " " + AWKWARD;
            client.inForm("TagResources", Map.of(
                    "ResourceType", "disk", "ResourceId.1", disk, "Tag.1.Key", "place", "Tag.1.Value", value));
            checkPlace(client, MethodType.POST, FormatType.JSON, disk, value);
        }
    }

    /** Expects that the disk is found by this value of its tag, and has it. */
    private static void checkPlace(Ecs client, MethodType method, FormatType format, String disk, String value)
            throws Exception {
        var filter = new DescribeDisksRequest.Tag();
        filter.setKey("place");
        filter.setValue(value);
        var found = client.call(new DescribeDisksRequest(), r -> {
            r.setSysMethod(method);
            r.setSysAcceptFormat(format);
            r.setTags(List.of(filter));
        }).getDisks();
        Ecs.same(found.stream().map(each -> each.getDiskId()).toList(), List.of(disk));
        Ecs.same(found.get(0).getTags().get(0).getTagValue(), value);
    }

    private static void https(Ecs ecs) throws Exception {
        ecs.call(new DescribeSnapshotsRequest(), r -> {
            r.setSysEndpoint(System.getenv("SNAPSHOTD_TEST_TLS_ENDPOINT"));
            r.setSysProtocol(ProtocolType.HTTPS);
        });
    }
}
