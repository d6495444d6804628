// Package flows drives a daemon with the new Go SDK (ACS3-HMAC-SHA256); this file has what the flows share.
package flows

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"testing"
	"time"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	ecs "github.com/alibabacloud-go/ecs-20140526/v7/client"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
)

var requestID = regexp.MustCompile(`"RequestId":"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}"`)

// instant is how the moment of a creation is written.
var instant = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)

// s and n make the pointers that the SDK's requests consist of.
var (
	s      = tea.String
	n      = tea.Int32
	region = s("cn-hangzhou")
)

// cloud is a client and the test that uses it.
type cloud struct {
	*ecs.Client
	t *testing.T
}

func connect(t *testing.T, change func(*openapi.Config)) cloud {
	config := openapi.Config{
		AccessKeyId:     s("testid"),
		AccessKeySecret: s("testsecret"),
		Endpoint:        s(os.Getenv("SNAPSHOTD_TEST_ENDPOINT")),
		Protocol:        s("HTTP"),
		RegionId:        region,
	}
	change(&config)
	return cloud{done(ecs.NewClient(&config)), t}
}

func shipped(t *testing.T) cloud {
	return connect(t, func(*openapi.Config) {})
}

// done takes the answer of a call that has to succeed.
func done[T any](answer T, err error) T {
	if err != nil {
		panic(err)
	}
	return answer
}

// refused expects that a call failed with this code and status, and with a RequestId; the message of the refusal.
func refused(t *testing.T, code string, status int, err error) string {
	t.Helper()
	var refusal *tea.SDKError
	if !errors.As(err, &refusal) {
		t.Fatalf("wanted %s, got %v", code, err)
	}
	if *refusal.Code != code || *refusal.StatusCode != status || !requestID.MatchString(*refusal.Data) {
		t.Fatalf("wanted %s and %d, got %v", code, status, refusal)
	}
	return *refusal.Message
}

// list is how ids are handed over where the API takes JSON.
func list(ids ...string) *string {
	return s(string(done(json.Marshal(ids))))
}

// until gives what probe gives, as soon as it says so.
func until[T any](t *testing.T, probe func() (T, bool)) T {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		found, ok := probe()
		if ok {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing within 20 s")
		}
	}
}

func (c cloud) disks(request *ecs.DescribeDisksRequest) []*ecs.DescribeDisksResponseBodyDisksDisk {
	request.RegionId = region
	return done(c.DescribeDisks(request)).Body.Disks.Disk
}

func (c cloud) disksOf(instance *string) []*ecs.DescribeDisksResponseBodyDisksDisk {
	return c.disks(&ecs.DescribeDisksRequest{InstanceId: instance})
}

// disk gives the disk, or nil.
func (c cloud) disk(id *string) *ecs.DescribeDisksResponseBodyDisksDisk {
	for _, found := range c.disks(&ecs.DescribeDisksRequest{DiskIds: list(*id)}) {
		return found
	}
	return nil
}

func (c cloud) snapshots(request *ecs.DescribeSnapshotsRequest) []*ecs.DescribeSnapshotsResponseBodySnapshotsSnapshot {
	request.RegionId = region
	return done(c.DescribeSnapshots(request)).Body.Snapshots.Snapshot
}

// snapshot gives the snapshot, or nil.
func (c cloud) snapshot(id *string) *ecs.DescribeSnapshotsResponseBodySnapshotsSnapshot {
	for _, found := range c.snapshots(&ecs.DescribeSnapshotsRequest{SnapshotIds: list(*id)}) {
		return found
	}
	return nil
}

func (c cloud) takeSnapshot(request *ecs.CreateSnapshotRequest) *string {
	return done(c.CreateSnapshot(request)).Body.SnapshotId
}

func (c cloud) accomplished(id *string) *ecs.DescribeSnapshotsResponseBodySnapshotsSnapshot {
	c.t.Helper()
	return until(c.t, func() (*ecs.DescribeSnapshotsResponseBodySnapshotsSnapshot, bool) {
		found := c.snapshot(id)
		return found, found != nil && *found.Status == "accomplished"
	})
}

func (c cloud) deleteSnapshot(id *string, force bool) error {
	request := &ecs.DeleteSnapshotRequest{SnapshotId: id}
	if force {
		request.Force = tea.Bool(true)
	}
	_, err := c.DeleteSnapshot(request)
	return err
}

func (c cloud) diskIs(id *string, status string) {
	c.t.Helper()
	until(c.t, func() (any, bool) {
		found := c.disk(id)
		return nil, found != nil && *found.Status == status
	})
}

func (c cloud) newDisk(request *ecs.CreateDiskRequest) *string {
	c.t.Helper()
	request.RegionId, request.DiskCategory = region, s("cloud_essd")
	id := done(c.CreateDisk(request)).Body.DiskId
	c.diskIs(id, "Available")
	return id
}

func (c cloud) attach(instance, disk *string) {
	done(c.AttachDisk(&ecs.AttachDiskRequest{InstanceId: instance, DiskId: disk}))
	c.diskIs(disk, "In_use")
}

func (c cloud) instanceIs(id *string, status string) {
	c.t.Helper()
	until(c.t, func() (any, bool) {
		request := &ecs.DescribeInstancesRequest{RegionId: region, InstanceIds: list(*id)}
		return nil, *done(c.DescribeInstances(request)).Body.Instances.Instance[0].Status == status
	})
}

// run gives the id of the first of some new instances of a public image, once the last one runs.
func (c cloud) run(amount int32, dataDisks int) *string {
	c.t.Helper()
	images := done(c.DescribeImages(&ecs.DescribeImagesRequest{RegionId: region, ImageOwnerAlias: s("system")}))
	request := &ecs.RunInstancesRequest{
		RegionId:     region,
		ImageId:      images.Body.Images.Image[0].ImageId,
		InstanceType: s("ecs.g7.large"),
		Amount:       n(amount),
	}
	for i := 0; i < dataDisks; i++ {
		request.DataDisk = append(request.DataDisk, &ecs.RunInstancesRequestDataDisk{Category: s("cloud_essd"), Size: n(40)})
	}
	ids := done(c.RunInstances(request)).Body.InstanceIdSets.InstanceIdSet
	c.instanceIs(ids[len(ids)-1], "Running")
	return ids[0]
}

// byName calls an action with parameters that its request class would not take.
func (c cloud) byName(action string, parameters map[string]string) error {
	query := map[string]*string{"RegionId": region}
	for name, value := range parameters {
		query[name] = s(value)
	}
	_, err := c.CallApi(params(action), &utils.OpenApiRequest{Query: query}, &dara.RuntimeOptions{})
	return err
}

// params has what the SDK's own calls of an action say of it.
func params(action string) *utils.Params {
	return &utils.Params{
		Action: s(action), Version: s("2014-05-26"), Protocol: s("HTTP"), Pathname: s("/"), Method: s("POST"),
		AuthType: s("AK"), Style: s("RPC"), ReqBodyType: s("formData"), BodyType: s("json"),
	}
}

func same(t *testing.T, seen, wanted any) {
	t.Helper()
	if fmt.Sprint(seen) != fmt.Sprint(wanted) {
		t.Fatalf("wanted %v, got %v", wanted, seen)
	}
}
