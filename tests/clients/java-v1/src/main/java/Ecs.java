import com.aliyuncs.AcsResponse;
import com.aliyuncs.CommonRequest;
import com.aliyuncs.DefaultAcsClient;
import com.aliyuncs.RpcAcsRequest;
import com.aliyuncs.ecs.model.v20140526.*;
import com.aliyuncs.exceptions.ClientException;
import com.aliyuncs.http.HttpClientConfig;
import com.aliyuncs.http.MethodType;
import com.aliyuncs.profile.DefaultProfile;
import com.google.gson.Gson;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/** The old SDK (RPC signature v1) pointed at a daemon, and the waiting that every program does. */
final class Ecs {
    static final String REGION = "cn-hangzhou";
    private static final String REQUEST_ID = "[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}";

    private final DefaultAcsClient client;
    private final String endpoint = System.getenv("SNAPSHOTD_TEST_ENDPOINT");

    Ecs(DefaultProfile profile) {
        client = new DefaultAcsClient(profile);
    }

    static Ecs shipped() throws Exception {
        return new Ecs(profile("testid", "testsecret"));
    }

    /** The key, with the STS token that may belong to it; the SDK takes what the first one of a process trusts for all. */
    static DefaultProfile profile(String id, String secret, String... token) throws Exception {
        DefaultProfile profile = token.length == 0
                ? DefaultProfile.getProfile(REGION, id, secret)
                : DefaultProfile.getProfile(REGION, id, secret, token[0]);
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream file = Files.newInputStream(Path.of(System.getenv("SNAPSHOTD_TEST_CA")))) {
            store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        HttpClientConfig config = HttpClientConfig.getDefault();
        config.setX509TrustManagers(new X509TrustManager[] {(X509TrustManager) factory.getTrustManagers()[0]});
        profile.setHttpClientConfig(config);
        return profile;
    }

    /** Fills in a request, sends it here and takes the answer. */
    <R extends AcsResponse, Q extends RpcAcsRequest<R>> R call(Q request, Consumer<Q> fill) throws ClientException {
        request.setSysEndpoint(endpoint);
        request.setSysMethod(MethodType.POST);
        fill.accept(request);
        return client.getAcsResponse(request);
    }

    /** Calls an action that the SDK has no class for, or with parameters that it would not take. */
    Map<?, ?> byName(String action, Map<String, String> parameters) throws ClientException {
        CommonRequest request = named(action);
        parameters.forEach(request::putQueryParameter);
        Map<?, ?> answer = new Gson().fromJson(client.getCommonResponse(request).getData(), Map.class);
        // The SDK says nothing of a Code, and its classes take text for numbers; programs that read the map do not.
        check(!answer.containsKey("Code"), "a Code in a success");
        check(!(answer.get("TotalCount") instanceof String), "a number as text");
        return answer;
    }

    /** Calls an action with its parameters in a form. */
    void inForm(String action, Map<String, String> parameters) throws ClientException {
        CommonRequest request = named(action);
        parameters.forEach(request::putBodyParameter);
        client.getCommonResponse(request);
    }

    private CommonRequest named(String action) {
        CommonRequest request = new CommonRequest();
        request.setSysDomain(endpoint);
        request.setSysMethod(MethodType.POST);
        request.setSysVersion("2014-05-26");
        request.setSysAction(action);
        request.putQueryParameter("RegionId", REGION);
        return request;
    }

    /** Expects that the call is refused so, with a RequestId; the SDK does not tell the status. */
    static String refused(String code, Callable<?> call) throws Exception {
        try {
            call.call();
        } catch (ClientException refusal) {
            same(refusal.getErrCode(), code);
            check(refusal.getRequestId().matches(REQUEST_ID), "a RequestId");
            return refusal.getErrMsg();
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

    List<DescribeDisksResponse.Disk> disksOf(String instance) throws ClientException {
        return call(new DescribeDisksRequest(), r -> r.setInstanceId(instance)).getDisks();
    }

    /** The disk, or null. */
    DescribeDisksResponse.Disk disk(String id) throws ClientException {
        var found = call(new DescribeDisksRequest(), r -> r.setDiskIds(json(id))).getDisks();
        return found.stream().findFirst().orElse(null);
    }

    /** The snapshot, or null. */
    DescribeSnapshotsResponse.Snapshot snapshot(String id) throws ClientException {
        var found = call(new DescribeSnapshotsRequest(), r -> r.setSnapshotIds(json(id))).getSnapshots();
        return found.stream().findFirst().orElse(null);
    }

    String takeSnapshot(String disk, Consumer<CreateSnapshotRequest> fill) throws ClientException {
        return call(new CreateSnapshotRequest(), fill.andThen(r -> r.setDiskId(disk))).getSnapshotId();
    }

    DescribeSnapshotsResponse.Snapshot accomplished(String id) throws Exception {
        until(() -> snapshot(id).getStatus().equals("accomplished"));
        return snapshot(id);
    }

    DeleteSnapshotResponse deleteSnapshot(String id, boolean force) throws ClientException {
        return call(new DeleteSnapshotRequest(), r -> {
            r.setSnapshotId(id);
            if (force) {
                r.setForce(true);
            }
        });
    }

    void diskIs(String id, String status) throws Exception {
        until(() -> disk(id).getStatus().equals(status));
    }

    String newDisk(Consumer<CreateDiskRequest> fill) throws Exception {
        String id = call(new CreateDiskRequest(), fill.andThen(r -> r.setDiskCategory("cloud_essd"))).getDiskId();
        diskIs(id, "Available");
        return id;
    }

    void attach(String instance, String disk) throws Exception {
        call(new AttachDiskRequest(), r -> {
            r.setInstanceId(instance);
            r.setDiskId(disk);
        });
        diskIs(disk, "In_use");
    }

    void instanceIs(String id, String status) throws Exception {
        until(() -> call(new DescribeInstancesRequest(), r -> r.setInstanceIds(json(id)))
                .getInstances().get(0).getStatus().equals(status));
    }

    /** The id of the first of some new instances of a public image, once the last one runs. */
    String run(int amount, int dataDisks) throws Exception {
        var image = call(new DescribeImagesRequest(), r -> r.setImageOwnerAlias("system")).getImages().get(0);
        RunInstancesRequest.DataDisk disk = new RunInstancesRequest.DataDisk();
        disk.setCategory("cloud_essd");
        disk.setSize(40);
        List<String> ids = call(new RunInstancesRequest(), r -> {
            r.setImageId(image.getImageId());
            r.setInstanceType("ecs.g7.large");
            r.setAmount(amount);
            r.setDataDisks(Collections.nCopies(dataDisks, disk));
        }).getInstanceIdSets();
        instanceIs(ids.get(ids.size() - 1), "Running");
        return ids.get(0);
    }
}
