package flows

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

func TestLifecycle(t *testing.T) {
	c := shipped(t)
	instance := c.run(1, 0)
	system := c.disksOf(instance)[0]
	disk := c.newDisk(func(r *ecs.CreateDiskRequest) { r.ZoneId, r.Size = system.ZoneId, "40" })
	c.attach(instance, disk)

	ofSystem := c.takeSnapshot(system.DiskId, plain)
	snapshot := c.takeSnapshot(disk, func(r *ecs.CreateSnapshotRequest) {
		r.SnapshotName, r.RetentionDays = "nightly", requests.NewInteger(7)
	})
	begun, _ := c.snapshot(snapshot)
	same(t, begun.Status, "progressing")
	c.accomplished(ofSystem)
	seen := c.accomplished(snapshot)
	same(t,
		[]any{seen.Progress, seen.SnapshotName, seen.RetentionDays, seen.SourceDiskId, seen.SourceDiskSize, seen.Usage},
		[]any{"100%", "nightly", 7, disk, "40", "none"})
	same(t, instant.MatchString(seen.CreationTime), true)

	making := ecs.CreateCreateImageRequest()
	making.ImageName = "with-data"
	making.DiskDeviceMapping = &[]ecs.CreateImageDiskDeviceMapping{
		{SnapshotId: ofSystem, DiskType: "system"}, {SnapshotId: snapshot, DiskType: "data"},
	}
	image := done(c.CreateImage(making)).ImageId
	until(t, func() (any, bool) {
		request := ecs.CreateDescribeImagesRequest()
		request.ImageId = image
		return nil, len(done(c.DescribeImages(request)).Images.Image) == 1
	})
	refused(t, "SnapshotCreatedImage", 403, c.deleteSnapshot(snapshot, false))
	refused(t, "SnapshotCreatedImage", 403, c.deleteSnapshot(snapshot, true))
	deletion := ecs.CreateDeleteImageRequest()
	deletion.ImageId = image
	done(c.DeleteImage(deletion))

	copied := c.newDisk(func(r *ecs.CreateDiskRequest) { r.ZoneId, r.SnapshotId = system.ZoneId, snapshot })
	refused(t, "SnapshotCreatedDisk", 403, c.deleteSnapshot(snapshot, false))
	done(0, c.deleteSnapshot(snapshot, true))
	if _, there := c.snapshot(snapshot); there {
		t.Fatal("it is still there")
	}

	c.attach(instance, copied)
	stopping := ecs.CreateStopInstanceRequest()
	stopping.InstanceId = instance
	done(c.StopInstance(stopping))
	c.instanceIs(instance, "Stopped")
	again := ecs.CreateReInitDiskRequest()
	again.DiskId = copied
	_, err := c.ReInitDisk(again)
	refused(t, "InvalidSourceSnapshot", 403, err)

	for _, each := range []string{disk, copied} {
		detaching := ecs.CreateDetachDiskRequest()
		detaching.InstanceId, detaching.DiskId = instance, each
		done(c.DetachDisk(detaching))
		c.diskIs(each, "Available")
		deleting := ecs.CreateDeleteDiskRequest()
		deleting.DiskId = each
		done(c.DeleteDisk(deleting))
	}
	done(0, c.deleteSnapshot(ofSystem, false))
	ending := ecs.CreateDeleteInstanceRequest()
	ending.InstanceId = instance
	done(c.DeleteInstance(ending))
	until(t, func() (any, bool) {
		_, there := c.disk(system.DiskId)
		return nil, !there
	})
	done(0, c.deleteSnapshot(snapshot, false))
}

func TestGroups(t *testing.T) {
	c := shipped(t)
	instance := c.run(1, 1)
	making := ecs.CreateCreateSnapshotGroupRequest()
	making.InstanceId, making.Name = instance, "all-disks"
	id := done(c.CreateSnapshotGroup(making)).SnapshotGroupId
	groups := func() []ecs.SnapshotGroup {
		request := ecs.CreateDescribeSnapshotGroupsRequest()
		request.SnapshotGroupId = &[]string{id}
		return done(c.DescribeSnapshotGroups(request)).SnapshotGroups.SnapshotGroup
	}
	found := until(t, func() (ecs.SnapshotGroup, bool) {
		group := groups()[0]
		return group, group.Status == "accomplished"
	})
	same(t, found.Name, "all-disks")
	var members, disks []string
	for _, each := range found.Snapshots.Snapshot {
		members = append(members, each.SourceDiskId)
	}
	for _, each := range c.disksOf(instance) {
		disks = append(disks, each.DiskId)
	}
	sort.Strings(members)
	sort.Strings(disks)
	same(t, members, disks)
	changing := ecs.CreateModifySnapshotGroupRequest()
	changing.SnapshotGroupId, changing.Name = id, "renamed"
	done(c.ModifySnapshotGroup(changing))
	same(t, groups()[0].Name, "renamed")
	deleting := ecs.CreateDeleteSnapshotGroupRequest()
	deleting.SnapshotGroupId = id
	gone := done(c.DeleteSnapshotGroup(deleting))
	same(t, len(gone.OperationProgressSet.OperationProgress), len(members))
	same(t, len(groups()), 0)
}

func TestPolicies(t *testing.T) {
	c := shipped(t)
	disk := c.disksOf(c.run(1, 0))[0].DiskId
	making := ecs.CreateCreateAutoSnapshotPolicyRequest()
	making.AutoSnapshotPolicyName, making.RetentionDays = "nightly", requests.NewInteger(30)
	making.TimePoints, making.RepeatWeekdays = list("1"), list("1", "7")
	id := done(c.CreateAutoSnapshotPolicy(making)).AutoSnapshotPolicyId
	policies := func() []ecs.AutoSnapshotPolicy {
		request := ecs.CreateDescribeAutoSnapshotPolicyExRequest()
		request.AutoSnapshotPolicyId = id
		return done(c.DescribeAutoSnapshotPolicyEx(request)).AutoSnapshotPolicies.AutoSnapshotPolicy
	}
	made := policies()[0]
	same(t, []any{made.TimePoints, made.RepeatWeekdays, made.RetentionDays}, []any{list("1"), list("1", "7"), 30})
	applying := ecs.CreateApplyAutoSnapshotPolicyRequest()
	applying.AutoSnapshotPolicyId, applying.DiskIds = id, list(disk)
	done(c.ApplyAutoSnapshotPolicy(applying))
	applied, _ := c.disk(disk)
	same(t, []any{applied.AutoSnapshotPolicyId, policies()[0].DiskNums}, []any{id, 1})
	changing := ecs.CreateModifyAutoSnapshotPolicyExRequest()
	changing.AutoSnapshotPolicyId, changing.RetentionDays = id, requests.NewInteger(-1)
	done(c.ModifyAutoSnapshotPolicyEx(changing))
	same(t, policies()[0].RetentionDays, -1)
	cancelling := ecs.CreateCancelAutoSnapshotPolicyRequest()
	cancelling.DiskIds = list(disk)
	done(c.CancelAutoSnapshotPolicy(cancelling))
	deleting := ecs.CreateDeleteAutoSnapshotPolicyRequest()
	deleting.AutoSnapshotPolicyId = id
	done(c.DeleteAutoSnapshotPolicy(deleting))
	same(t, len(policies()), 0)
}

// The old SDK has no classes for locks; CommonRequest calls anything.
func TestLocks(t *testing.T) {
	c := shipped(t)
	snapshot := c.takeSnapshot(c.disksOf(c.run(1, 0))[0].DiskId, plain)
	c.accomplished(snapshot)
	done(c.byName("LockSnapshot", map[string]string{
		"SnapshotId": snapshot, "LockMode": "compliance", "LockDuration": "1", "CoolOffPeriod": "1",
	}))
	locked := done(c.byName("DescribeLockedSnapshots", map[string]string{"SnapshotIds.1": snapshot}))
	same(t, locked["LockedSnapshotsInfo"].([]any)[0].(map[string]any)["LockStatus"], "compliance-cooloff")
	refused(t, "InvalidOperation.SnapshotLocked", 403, c.deleteSnapshot(snapshot, true))
	done(c.byName("UnlockSnapshot", map[string]string{"SnapshotId": snapshot}))
	done(0, c.deleteSnapshot(snapshot, false))
}

func TestTags(t *testing.T) {
	c := shipped(t)
	snapshot := c.takeSnapshot(c.disksOf(c.run(1, 0))[0].DiskId, func(r *ecs.CreateSnapshotRequest) {
		r.Tag = &[]ecs.CreateSnapshotTag{{Key: "made", Value: "here"}}
	})
	value := "of " + snapshot
	tagging := ecs.CreateTagResourcesRequest()
	tagging.ResourceType, tagging.ResourceId = "snapshot", &[]string{snapshot}
	tagging.Tag = &[]ecs.TagResourcesTag{{Key: "team", Value: value}, {Key: "empty"}}
	done(c.TagResources(tagging))
	listing := ecs.CreateListTagResourcesRequest()
	listing.ResourceType, listing.ResourceId = "snapshot", &[]string{snapshot}
	var keys []string
	for _, each := range done(c.ListTagResources(listing)).TagResources.TagResource {
		keys = append(keys, each.TagKey)
	}
	sort.Strings(keys)
	same(t, keys, []string{"empty", "made", "team"})
	found := c.snapshots(func(r *ecs.DescribeSnapshotsRequest) {
		r.Tag = &[]ecs.DescribeSnapshotsTag{{Key: "team", Value: value}}
	})
	same(t, found[0].SnapshotId, snapshot)
	untagging := ecs.CreateUntagResourcesRequest()
	untagging.ResourceType, untagging.ResourceId = "snapshot", &[]string{snapshot}
	untagging.TagKey = &[]string{"team", "made"}
	done(c.UntagResources(untagging))
	left, _ := c.snapshot(snapshot)
	same(t, []any{len(left.Tags.Tag), left.Tags.Tag[0].TagKey, left.Tags.Tag[0].TagValue}, []any{1, "empty", ""})
}

func TestPaging(t *testing.T) {
	c := shipped(t)
	c.run(100, 15)
	c.run(100, 15)
	var byNumber, byToken []string
	for number, total := 1, 1; len(byNumber) < total; number++ {
		request := ecs.CreateDescribeDisksRequest()
		request.PageNumber, request.PageSize = requests.NewInteger(number), requests.NewInteger(100)
		page := done(c.DescribeDisks(request))
		for _, each := range page.Disks.Disk {
			byNumber = append(byNumber, each.DiskId)
		}
		total = page.TotalCount
		// The SDK decodes text as well, and says nothing of a Code; its users who decode by themselves do not.
		sent := page.GetHttpContentString()
		same(t, []bool{strings.Contains(sent, `"TotalCount":3`), strings.Contains(sent, `"Code":`)}, []bool{true, false})
	}
	for token, more := "", true; more; more = token != "" {
		request := ecs.CreateDescribeDisksRequest()
		request.MaxResults, request.NextToken = requests.NewInteger(500), token
		page := done(c.DescribeDisks(request))
		for _, each := range page.Disks.Disk {
			byToken = append(byToken, each.DiskId)
		}
		token = page.NextToken
	}
	distinct := map[string]bool{}
	for _, id := range byNumber {
		distinct[id] = true
	}
	if len(byNumber) < 3200 || len(distinct) != len(byNumber) {
		t.Fatalf("%d rows, %d of them distinct", len(byNumber), len(distinct))
	}
	same(t, byToken, byNumber)
}

func TestErrors(t *testing.T) {
	var refusals []struct {
		Action     string
		Parameters map[string]string
		Code       string
		Status     int
		Message    string
	}
	done(0, json.Unmarshal(done(os.ReadFile("../support/refusals.json")), &refusals))
	for _, each := range refusals {
		_, err := shipped(t).byName(each.Action, each.Parameters)
		same(t, refused(t, each.Code, each.Status, err).Message(), each.Message)
	}
	_, err := connect(t, credentials.NewAccessKeyCredential("nobody", "x")).byName("DescribeSnapshots", nil)
	refused(t, "InvalidAccessKeyId.NotFound", 404, err)
	_, err = connect(t, credentials.NewAccessKeyCredential("testid", "wrong")).byName("DescribeSnapshots", nil)
	refused(t, "SignatureDoesNotMatch", 400, err)
}

func TestSts(t *testing.T) {
	token := func(token string) error {
		_, err := connect(t, credentials.NewStsTokenCredential("STS.testid", "stssecret", token)).
			byName("DescribeSnapshots", nil)
		return err
	}
	done(0, token("ststoken"))
	refused(t, "InvalidSecurityToken.MismatchWithAccessKey", 400, token("another"))
}

// awkward has what an encoding may spoil.
const awkward = `a & b=c <d> ~*+ %20 "e" 'f' 快照 😀`

// A request class puts all into the query, whatever the method; a CommonRequest also has a form, and sends the region in
// both. Either may ask for XML.
func TestPlaces(t *testing.T) {
	c := shipped(t)
	disk := c.disksOf(c.run(1, 0))[0].DiskId
	temporary := connect(t, credentials.NewStsTokenCredential("STS.testid", "stssecret", "ststoken"))
	tagged := func(client cloud, method, format, value string) string {
		request := ecs.CreateDescribeDisksRequest()
		request.Method, request.AcceptFormat = method, format
		request.Tag = &[]ecs.DescribeDisksTag{{Key: "place", Value: value}}
		found := done(client.DescribeDisks(request))
		same(t, strings.HasPrefix(found.GetHttpContentString(), "<?xml"), format == "XML")
		same(t, []any{len(found.Disks.Disk), found.Disks.Disk[0].DiskId}, []any{1, disk})
		return found.Disks.Disk[0].Tags.Tag[0].TagValue
	}
	for who, client := range map[string]cloud{"key": c, "token": temporary} {
		for _, method := range []string{"GET", "POST"} {
			for _, format := range []string{"JSON", "XML"} {
				value := strings.Join([]string{who, method, format, awkward}, " ")
				tagging := ecs.CreateTagResourcesRequest()
				tagging.Method, tagging.AcceptFormat = method, format
				tagging.ResourceType, tagging.ResourceId = "disk", &[]string{disk}
				tagging.Tag = &[]ecs.TagResourcesTag{{Key: "place", Value: value}}
				done(client.TagResources(tagging))
				same(t, tagged(client, method, format, value), value)
			}
		}
		request := requests.NewCommonRequest()
		request.Domain, request.Version, request.ApiName, request.Scheme = endpoint, "2014-05-26", "TagResources", "HTTP"
		value := who + " form " + awkward
		request.FormParams = map[string]string{
			"RegionId": region, "ResourceType": "disk", "ResourceId.1": disk, "Tag.1.Key": "place", "Tag.1.Value": value,
		}
		request.Method = "POST"
		done(client.ProcessCommonRequest(request))
		same(t, tagged(client, "GET", "JSON", value), value)
	}
}

func TestHttps(t *testing.T) {
	ask := func(roots *x509.CertPool) error {
		c := shipped(t)
		c.SetTransport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}})
		request := ecs.CreateDescribeSnapshotsRequest()
		request.Domain, request.Scheme = os.Getenv("SNAPSHOTD_TEST_TLS_ENDPOINT"), "HTTPS"
		_, err := c.DescribeSnapshots(request)
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(done(os.ReadFile(os.Getenv("SNAPSHOTD_TEST_CA")))) {
		t.Fatal("no certificate")
	}
	done(0, ask(roots))
	if err := ask(nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Fatalf("an unknown CA was accepted: %v", err)
	}
}
