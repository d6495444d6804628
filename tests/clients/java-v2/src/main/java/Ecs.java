import com.aliyun.ecs20140526.Client;
import com.aliyun.ecs20140526.models.*;
import com.aliyun.tea.TeaException;
import com.aliyun.teaopenapi.models.Config;
import com.aliyun.teaopenapi.models.OpenApiRequest;
import com.aliyun.teaopenapi.models.Params;
import com.aliyun.teautil.models.RuntimeOptions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;

/** The new SDK (ACS3-HMAC-SHA256) pointed at a daemon, and the waiting that every program does. */
final class Ecs {
    static final String REGION = "cn-hangzhou";
    private static final String REQUEST_ID = "[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}";

    final Client client;

    Ecs(Config config) throws Exception {
        client = new Client(config);
    }

    static Config config() {
        return new Config()
                .setAccessKeyId("testid")
                .setAccessKeySecret("testsecret")
                .setEndpoint(System.getenv("SNAPSHOTD_TEST_ENDPOINT"))
                .setProtocol("HTTP")
                .setRegionId(REGION);
    }

    /** Expects that the call is refused so, with a RequestId; the message of the refusal. */
    static String refused(String code, int status, Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (TeaException refusal) {
            same(List.of(refusal.getCode(), refusal.getStatusCode()), List.of(code, status));
            check(refusal.getData().get("RequestId").toString().matches(REQUEST_ID), "a RequestId");
            return refusal.getMessage();
        }
        throw new AssertionError("it was not refused with " + code);
    }

    static void same(Object seen, Object wanted) {
        check(Objects.equals(seen, wanted), "wanted " + wanted + ", got " + seen);
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void until(Callable<Boolean> probe) throws Exception {
        for (long deadline = System.nanoTime() + 20_000_000_000L; !probe.call(); Thread.sleep(50)) {
            check(System.nanoTime() < deadline, "nothing within 20 s");
        }
    }

    /** How ids are handed over where the API takes JSON. */
    static String json(String... ids) {
        return "[\"" + String.join("\",\"", ids) + "\"]";
    }

    List<DescribeDisksResponseBody.DescribeDisksResponseBodyDisksDisk> disks(DescribeDisksRequest request)
            throws Exception {
        return client.describeDisks(request.setRegionId(REGION)).body.disks.disk;
    }

    List<DescribeDisksResponseBody.DescribeDisksResponseBodyDisksDisk> disksOf(String instance) throws Exception {
        return disks(new DescribeDisksRequest().setInstanceId(instance));
    }

    /** The disk, or null. */
    DescribeDisksResponseBody.DescribeDisksResponseBodyDisksDisk disk(String id) throws Exception {
        return disks(new DescribeDisksRequest().setDiskIds(json(id))).stream().findFirst().orElse(null);
    }

    List<DescribeSnapshotsResponseBody.DescribeSnapshotsResponseBodySnapshotsSnapshot> snapshots(
            DescribeSnapshotsRequest request) throws Exception {
        return client.describeSnapshots(request.setRegionId(REGION)).body.snapshots.snapshot;
    }

    /** The snapshot, or null. */
    DescribeSnapshotsResponseBody.DescribeSnapshotsResponseBodySnapshotsSnapshot snapshot(String id) throws Exception {
        return snapshots(new DescribeSnapshotsRequest().setSnapshotIds(json(id))).stream().findFirst().orElse(null);
    }

    String takeSnapshot(CreateSnapshotRequest request) throws Exception {
        return client.createSnapshot(request).body.snapshotId;
    }

    DescribeSnapshotsResponseBody.DescribeSnapshotsResponseBodySnapshotsSnapshot accomplished(String id)
            throws Exception {
        until(() -> snapshot(id).status.equals("accomplished"));
        return snapshot(id);
    }

    DeleteSnapshotResponse deleteSnapshot(String id, boolean force) throws Exception {
        DeleteSnapshotRequest request = new DeleteSnapshotRequest().setSnapshotId(id);
        return client.deleteSnapshot(force ? request.setForce(true) : request);
    }

    void diskIs(String id, String status) throws Exception {
        until(() -> disk(id).status.equals(status));
    }

    String newDisk(CreateDiskRequest request) throws Exception {
        String id = client.createDisk(request.setRegionId(REGION).setDiskCategory("cloud_essd")).body.diskId;
        diskIs(id, "Available");
        return id;
    }

    void attach(String instance, String disk) throws Exception {
        client.attachDisk(new AttachDiskRequest().setInstanceId(instance).setDiskId(disk));
        diskIs(disk, "In_use");
    }

    void instanceIs(String id, String status) throws Exception {
        DescribeInstancesRequest request = new DescribeInstancesRequest().setRegionId(REGION).setInstanceIds(json(id));
        until(() -> client.describeInstances(request).body.instances.instance.get(0).status.equals(status));
    }

    /** The id of the first of some new instances of a public image, once the last one runs. */
    String run(int amount, int dataDisks) throws Exception {
        DescribeImagesRequest images = new DescribeImagesRequest().setRegionId(REGION).setImageOwnerAlias("system");
        RunInstancesRequest.RunInstancesRequestDataDisk disk =
                new RunInstancesRequest.RunInstancesRequestDataDisk().setCategory("cloud_essd").setSize(40);
        RunInstancesRequest request = new RunInstancesRequest()
                .setRegionId(REGION)
                .setImageId(client.describeImages(images).body.images.image.get(0).imageId)
                .setInstanceType("ecs.g7.large")
                .setAmount(amount)
                .setDataDisk(java.util.Collections.nCopies(dataDisks, disk));
        List<String> ids = client.runInstances(request).body.instanceIdSets.instanceIdSet;
        instanceIs(ids.get(ids.size() - 1), "Running");
        return ids.get(0);
    }

    /** Calls an action that this version of the SDK has no class for, or with parameters that it would not take. */
    Map<?, ?> byName(String action, Map<String, String> parameters) throws Exception {
        Map<String, String> query = new HashMap<>(parameters);
        query.putIfAbsent("RegionId", REGION);
        return answered(params(action), new OpenApiRequest().setQuery(query));
    }

    /** The answer, in which the SDK passes over a Code and takes text for numbers; programs that read the map do not. */
    private Map<?, ?> answered(Params params, OpenApiRequest request) throws Exception {
        Map<?, ?> answer = (Map<?, ?>) client.callApi(params, request, new RuntimeOptions()).get("body");
        check(!answer.containsKey("Code"), "a Code in a success");
        check(!(answer.get("TotalCount") instanceof String), "a number as text");
        return answer;
    }

    /** Calls an action by this method, with its parameters in the query or in a body of this type. */
    Map<?, ?> inPlace(String method, String place, String action, Map<String, Object> parameters) throws Exception {
        Map<String, Object> all = new HashMap<>(parameters);
        all.put("RegionId", REGION);
        Params params = params(action).setMethod(method);
        OpenApiRequest request = new OpenApiRequest();
        if (place.equals("query")) {
            request.setQuery(com.aliyun.openapiutil.Client.query(all));
        } else {
            params.setReqBodyType(place);
            request.setBody(all);
        }
        return answered(params, request);
    }

    /** What the SDK's own calls of an action say of it. */
    private static Params params(String action) {
        return new Params()
                .setAction(action)
                .setVersion("2014-05-26")
                .setProtocol("HTTP")
                .setPathname("/")
                .setMethod("POST")
                .setAuthType("AK")
                .setStyle("RPC")
                .setReqBodyType("formData")
                .setBodyType("json");
    }
}
