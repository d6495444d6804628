package flows

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
	"testing"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	ecs "github.com/alibabacloud-go/ecs-20140526/v7/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
)

func TestLifecycle(t *testing.T) {
	c := shipped(t)
	instance := c.run(1, 0)
	system := c.disksOf(instance)[0]
	disk := c.newDisk(&ecs.CreateDiskRequest{ZoneId: system.ZoneId, Size: n(40)})
	c.attach(instance, disk)

	ofSystem := c.takeSnapshot(&ecs.CreateSnapshotRequest{DiskId: system.DiskId})
	snapshot := c.takeSnapshot(&ecs.CreateSnapshotRequest{DiskId: disk, SnapshotName: s("nightly"), RetentionDays: n(7)})
	same(t, *c.snapshot(snapshot).Status, "progressing")
	c.accomplished(ofSystem)
	seen := c.accomplished(snapshot)
	same(t,
		[]any{*seen.Progress, *seen.SnapshotName, *seen.RetentionDays, *seen.SourceDiskId, *seen.SourceDiskSize, *seen.Usage},
		[]any{"100%", "nightly", 7, *disk, "40", "none"})
	same(t, instant.MatchString(*seen.CreationTime), true)

	image := done(c.CreateImage(&ecs.CreateImageRequest{
		RegionId:  region,
		ImageName: s("with-data"),
		DiskDeviceMapping: []*ecs.CreateImageRequestDiskDeviceMapping{
			{SnapshotId: ofSystem, DiskType: s("system")}, {SnapshotId: snapshot, DiskType: s("data")},
		},
	})).Body.ImageId
	until(t, func() (any, bool) {
		images := done(c.DescribeImages(&ecs.DescribeImagesRequest{RegionId: region, ImageId: image}))
		return nil, len(images.Body.Images.Image) == 1
	})
	refused(t, "SnapshotCreatedImage", 403, c.deleteSnapshot(snapshot, false))
	refused(t, "SnapshotCreatedImage", 403, c.deleteSnapshot(snapshot, true))
	done(c.DeleteImage(&ecs.DeleteImageRequest{RegionId: region, ImageId: image}))

	copied := c.newDisk(&ecs.CreateDiskRequest{ZoneId: system.ZoneId, SnapshotId: snapshot})
	refused(t, "SnapshotCreatedDisk", 403, c.deleteSnapshot(snapshot, false))
	done(0, c.deleteSnapshot(snapshot, true))
	if c.snapshot(snapshot) != nil {
		t.Fatal("it is still there")
	}

	c.attach(instance, copied)
	done(c.StopInstance(&ecs.StopInstanceRequest{InstanceId: instance}))
	c.instanceIs(instance, "Stopped")
	_, err := c.ReInitDisk(&ecs.ReInitDiskRequest{DiskId: copied})
	refused(t, "InvalidSourceSnapshot", 403, err)

	for _, each := range []*string{disk, copied} {
		done(c.DetachDisk(&ecs.DetachDiskRequest{InstanceId: instance, DiskId: each}))
		c.diskIs(each, "Available")
		done(c.DeleteDisk(&ecs.DeleteDiskRequest{DiskId: each}))
	}
	done(0, c.deleteSnapshot(ofSystem, false))
	done(c.DeleteInstance(&ecs.DeleteInstanceRequest{InstanceId: instance}))
	until(t, func() (any, bool) { return nil, c.disk(system.DiskId) == nil })
	done(0, c.deleteSnapshot(snapshot, false))
}

func TestGroups(t *testing.T) {
	c := shipped(t)
	instance := c.run(1, 1)
	making := &ecs.CreateSnapshotGroupRequest{RegionId: region, InstanceId: instance, Name: s("all-disks")}
	id := done(c.CreateSnapshotGroup(making)).Body.SnapshotGroupId
	groups := func() []*ecs.DescribeSnapshotGroupsResponseBodySnapshotGroupsSnapshotGroup {
		request := &ecs.DescribeSnapshotGroupsRequest{RegionId: region, SnapshotGroupId: []*string{id}}
		return done(c.DescribeSnapshotGroups(request)).Body.SnapshotGroups.SnapshotGroup
	}
	until(t, func() (any, bool) { return nil, *groups()[0].Status == "accomplished" })
	same(t, *groups()[0].Name, "all-disks")
	var members, disks []string
	for _, each := range groups()[0].Snapshots.Snapshot {
		members = append(members, *each.SourceDiskId)
	}
	for _, each := range c.disksOf(instance) {
		disks = append(disks, *each.DiskId)
	}
	sort.Strings(members)
	sort.Strings(disks)
	same(t, members, disks)
	done(c.ModifySnapshotGroup(&ecs.ModifySnapshotGroupRequest{RegionId: region, SnapshotGroupId: id, Name: s("renamed")}))
	same(t, *groups()[0].Name, "renamed")
	gone := done(c.DeleteSnapshotGroup(&ecs.DeleteSnapshotGroupRequest{RegionId: region, SnapshotGroupId: id}))
	same(t, len(gone.Body.OperationProgressSet.OperationProgress), len(members))
	same(t, len(groups()), 0)
}

func TestPolicies(t *testing.T) {
	c := shipped(t)
	disk := c.disksOf(c.run(1, 0))[0].DiskId
	id := done(c.CreateAutoSnapshotPolicy(&ecs.CreateAutoSnapshotPolicyRequest{
		RegionId: region, AutoSnapshotPolicyName: s("nightly"), RetentionDays: n(30),
		TimePoints: list("1"), RepeatWeekdays: list("1", "7"),
	})).Body.AutoSnapshotPolicyId
	policies := func() []*ecs.DescribeAutoSnapshotPolicyExResponseBodyAutoSnapshotPoliciesAutoSnapshotPolicy {
		request := &ecs.DescribeAutoSnapshotPolicyExRequest{RegionId: region, AutoSnapshotPolicyId: id}
		return done(c.DescribeAutoSnapshotPolicyEx(request)).Body.AutoSnapshotPolicies.AutoSnapshotPolicy
	}
	made := policies()[0]
	same(t, []any{*made.TimePoints, *made.RepeatWeekdays, *made.RetentionDays}, []any{*list("1"), *list("1", "7"), 30})
	applying := &ecs.ApplyAutoSnapshotPolicyRequest{RegionId: region, AutoSnapshotPolicyId: id, DiskIds: list(*disk)}
	done(c.ApplyAutoSnapshotPolicy(applying))
	same(t, []any{*c.disk(disk).AutoSnapshotPolicyId, *policies()[0].DiskNums}, []any{*id, 1})
	done(c.ModifyAutoSnapshotPolicyEx(&ecs.ModifyAutoSnapshotPolicyExRequest{
		RegionId: region, AutoSnapshotPolicyId: id, RetentionDays: n(-1),
	}))
	same(t, *policies()[0].RetentionDays, -1)
	done(c.CancelAutoSnapshotPolicy(&ecs.CancelAutoSnapshotPolicyRequest{RegionId: region, DiskIds: list(*disk)}))
	done(c.DeleteAutoSnapshotPolicy(&ecs.DeleteAutoSnapshotPolicyRequest{RegionId: region, AutoSnapshotPolicyId: id}))
	same(t, len(policies()), 0)
}

func TestLocks(t *testing.T) {
	c := shipped(t)
	snapshot := c.takeSnapshot(&ecs.CreateSnapshotRequest{DiskId: c.disksOf(c.run(1, 0))[0].DiskId})
	c.accomplished(snapshot)
	done(c.LockSnapshot(&ecs.LockSnapshotRequest{
		RegionId: region, SnapshotId: snapshot, LockMode: s("compliance"), LockDuration: n(1), CoolOffPeriod: n(1),
	}))
	asking := &ecs.DescribeLockedSnapshotsRequest{RegionId: region, SnapshotIds: []*string{snapshot}}
	same(t, *done(c.DescribeLockedSnapshots(asking)).Body.LockedSnapshotsInfo[0].LockStatus, "compliance-cooloff")
	refused(t, "InvalidOperation.SnapshotLocked", 403, c.deleteSnapshot(snapshot, true))
	done(c.UnlockSnapshot(&ecs.UnlockSnapshotRequest{RegionId: region, SnapshotId: snapshot}))
	done(0, c.deleteSnapshot(snapshot, false))
}

func TestTags(t *testing.T) {
	c := shipped(t)
	snapshot := c.takeSnapshot(&ecs.CreateSnapshotRequest{
		DiskId: c.disksOf(c.run(1, 0))[0].DiskId,
		Tag:    []*ecs.CreateSnapshotRequestTag{{Key: s("made"), Value: s("here")}},
	})
	value, kind, ids := s("of "+*snapshot), s("snapshot"), []*string{snapshot}
	done(c.TagResources(&ecs.TagResourcesRequest{
		RegionId: region, ResourceType: kind, ResourceId: ids,
		Tag: []*ecs.TagResourcesRequestTag{{Key: s("team"), Value: value}, {Key: s("empty"), Value: s("")}},
	}))
	var keys []string
	listing := &ecs.ListTagResourcesRequest{RegionId: region, ResourceType: kind, ResourceId: ids}
	for _, each := range done(c.ListTagResources(listing)).Body.TagResources.TagResource {
		keys = append(keys, *each.TagKey)
	}
	sort.Strings(keys)
	same(t, keys, []string{"empty", "made", "team"})
	found := c.snapshots(&ecs.DescribeSnapshotsRequest{Tag: []*ecs.DescribeSnapshotsRequestTag{{Key: s("team"), Value: value}}})
	same(t, *found[0].SnapshotId, *snapshot)
	done(c.UntagResources(&ecs.UntagResourcesRequest{
		RegionId: region, ResourceType: kind, ResourceId: ids, TagKey: []*string{s("team"), s("made")},
	}))
	left := c.snapshot(snapshot).Tags.Tag
	same(t, []any{len(left), *left[0].TagKey, *left[0].TagValue}, []any{1, "empty", ""})
}

func TestPaging(t *testing.T) {
	c := shipped(t)
	c.run(100, 15)
	c.run(100, 15)
	var byNumber, byToken []string
	for number, total := int32(1), 1; len(byNumber) < total; number++ {
		request := &ecs.DescribeDisksRequest{RegionId: region, PageNumber: n(number), PageSize: n(100)}
		page := done(c.DescribeDisks(request)).Body
		for _, each := range page.Disks.Disk {
			byNumber = append(byNumber, *each.DiskId)
		}
		total = int(*page.TotalCount)
	}
	var token *string
	for more := true; more; more = tea.StringValue(token) != "" {
		page := done(c.DescribeDisks(&ecs.DescribeDisksRequest{RegionId: region, MaxResults: n(500), NextToken: token})).Body
		for _, each := range page.Disks.Disk {
			byToken = append(byToken, *each.DiskId)
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
		told := refused(t, each.Code, each.Status, shipped(t).byName(each.Action, each.Parameters))
		if !strings.Contains(told, each.Message) {
			t.Fatalf("wanted %s, got %s", each.Message, told)
		}
	}
	unknown := connect(t, func(config *openapi.Config) { config.AccessKeyId = s("nobody") })
	refused(t, "InvalidAccessKeyId.NotFound", 404, unknown.byName("DescribeSnapshots", nil))
	wrong := connect(t, func(config *openapi.Config) { config.AccessKeySecret = s("wrong") })
	refused(t, "SignatureDoesNotMatch", 400, wrong.byName("DescribeSnapshots", nil))
}

func TestSts(t *testing.T) {
	token := func(token string) error {
		return connect(t, func(config *openapi.Config) {
			config.AccessKeyId, config.AccessKeySecret = s("STS.testid"), s("stssecret")
			config.SecurityToken = s(token)
		}).byName("DescribeSnapshots", nil)
	}
	done(0, token("ststoken"))
	refused(t, "InvalidSecurityToken.MismatchWithAccessKey", 400, token("another"))
}

// awkward has what an encoding may spoil.
const awkward = `a & b=c <d> ~*+ %20 "e" 'f' 快照 😀`

// What this SDK calls v2 is the signature of the old ones.
func TestPlaces(t *testing.T) {
	disk := shipped(t).disksOf(shipped(t).run(1, 0))[0].DiskId
	for _, how := range []struct{ signature, method, place string }{
		{"", "POST", "query"}, {"", "GET", "query"}, {"", "POST", "formData"}, {"", "POST", "json"},
		{"v2", "POST", "query"}, {"v2", "GET", "query"}, {"v2", "POST", "formData"},
	} {
		for _, token := range []bool{false, true} {
			c := connect(t, func(config *openapi.Config) {
				if how.signature != "" {
					config.SignatureAlgorithm = s(how.signature)
				}
				if token {
					config.AccessKeyId, config.AccessKeySecret = s("STS.testid"), s("stssecret")
					config.SecurityToken = s("ststoken")
				}
			})
			call := func(action string, parameters map[string]any) map[string]any {
				called, request := params(action), &utils.OpenApiRequest{}
				called.Method, parameters["RegionId"] = s(how.method), *region
				if how.place == "query" {
					request.Query = utils.Query(parameters)
				} else {
					called.ReqBodyType, request.Body = s(how.place), parameters
				}
				return done(c.CallApi(called, request, &dara.RuntimeOptions{}))["body"].(map[string]any)
			}
			value := fmt.Sprint(how, token, " ", awkward)
			tags := func() []any { return []any{map[string]any{"Key": "place", "Value": value}} }
			call("TagResources", map[string]any{"ResourceType": "disk", "ResourceId": []any{*disk}, "Tag": tags()})
			found := call("DescribeDisks", map[string]any{"Tag": tags()})["Disks"].(map[string]any)["Disk"].([]any)
			same(t, len(found), 1)
			kept := found[0].(map[string]any)["Tags"].(map[string]any)["Tag"].([]any)[0].(map[string]any)
			same(t, []any{found[0].(map[string]any)["DiskId"], kept["TagValue"]}, []any{*disk, value})
		}
	}
}

func TestHttps(t *testing.T) {
	endpoint := os.Getenv("SNAPSHOTD_TEST_TLS_ENDPOINT")
	ask := func(endpoint string, ca *string) error {
		_, err := connect(t, func(config *openapi.Config) {
			config.Endpoint, config.Protocol, config.Ca = s(endpoint), s("HTTPS"), ca
		}).DescribeSnapshots(&ecs.DescribeSnapshotsRequest{RegionId: region})
		return err
	}
	done(0, ask(endpoint, s(string(done(os.ReadFile(os.Getenv("SNAPSHOTD_TEST_CA")))))))
	// Another name of the same daemon: the SDK keeps the connection and the trust that it has for a host.
	if err := ask(strings.Replace(endpoint, "127.0.0.1", "localhost", 1), nil); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Fatalf("an unknown CA was accepted: %v", err)
	}
}
